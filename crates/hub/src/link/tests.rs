//! Hubs that are joined by hand: what is told once, and that a loss is told.

use corral_domain::limits::HUB_LINK_MESSAGES_MAX;
use corral_domain::{OrganizationId, StreamKind};

use super::*;
use crate::Subscriber;

const A: SenderId = SenderId([1; 16]);
const B: SenderId = SenderId([2; 16]);

fn nudge(id: &str, applied_through: u64) -> Message {
    let organization = OrganizationId::from_bytes([7; 16]);
    let stream = StreamKey { organization, kind: StreamKind::Run, id: id.to_owned() };
    Nudge { stream, partition: Partition(1), applied_through: Offset(applied_through) }.into()
}

fn checkpointed(offset: u64) -> Message {
    Message::Checkpointed { partition: Partition(1), offset: Offset(offset) }
}

fn heard(subscriber: &mut Subscriber) -> Vec<Heard> {
    std::iter::from_fn(|| subscriber.try_next()).collect()
}

fn messages(messages: &[Message]) -> Vec<Heard> {
    messages.iter().cloned().map(Heard::Message).collect()
}

#[tokio::test]
async fn what_is_published_here_is_heard_here_once_and_there_in_few_words() {
    let ((here, mut out), (there, link)) = (Hub::linked(), Hub::linked());
    let (mut near, mut far) = (here.subscribe(), there.subscribe());
    let said = [nudge("r", 3), checkpointed(3), nudge("s", 4), nudge("r", 9), nudge("r", 5), checkpointed(10)];
    said.iter().cloned().for_each(|message| here.publish(message));
    assert_eq!(heard(&mut near), messages(&said));
    let batch = out.next().await.expect("a batch");
    link.ear().hear(A, batch.number, &batch.bytes);
    // A sender that nobody knew yet may have said more before.
    let expect = [vec![Heard::Lagged], messages(&[nudge("r", 9), nudge("s", 4), checkpointed(10)])].concat();
    assert_eq!(heard(&mut far), expect);
    // What comes from others is not sent on.
    let figures = there.figures();
    assert_eq!((figures.outward_waiting, figures.batches_heard, figures.gaps, figures.published), (0, 1, 1, 0));
    assert_eq!((here.figures().published, here.figures().outward_waiting), (6, 0));
}

#[tokio::test]
async fn a_number_that_does_not_follow_is_a_loss_and_one_that_came_before_is_nothing() {
    let (hub, link) = Hub::linked();
    let (ear, mut subscriber) = (link.ear(), hub.subscribe());
    let batch = |offset| codec::encode(&[checkpointed(offset)]);
    let mut hear = |sender, number, bytes: &[u8]| {
        ear.hear(sender, number, bytes);
        heard(&mut subscriber)
    };
    assert_eq!(hear(A, 7, &batch(1)), [vec![Heard::Lagged], messages(&[checkpointed(1)])].concat());
    assert_eq!(hear(A, 8, &batch(2)), messages(&[checkpointed(2)]));
    assert_eq!(hear(A, 8, &batch(2)), []);
    assert_eq!(hear(A, 6, &batch(0)), []);
    assert_eq!(hear(A, 10, &batch(4)), [vec![Heard::Lagged], messages(&[checkpointed(4)])].concat());
    assert_eq!(hear(B, 1, &batch(5)), [vec![Heard::Lagged], messages(&[checkpointed(5)])].concat());
    // What cannot be read is lost too, and the next is not.
    assert_eq!(hear(A, 11, b"\x02"), [Heard::Lagged]);
    assert_eq!(hear(A, 12, &batch(6)), messages(&[checkpointed(6)]));
    let figures = hub.figures();
    assert_eq!((figures.batches_heard, figures.garbage, figures.gaps), (6, 1, 4));
}

#[tokio::test]
async fn what_does_not_fit_is_dropped_counted_and_told_as_a_gap() {
    let (hub, mut link) = Hub::linked();
    let before = {
        hub.publish(checkpointed(0));
        link.next().await.expect("a batch").number
    };
    let many = HUB_LINK_MESSAGES_MAX as u64 + 10;
    (0..many).for_each(|at| hub.publish(nudge(&at.to_string(), at)));
    let figures = hub.figures();
    assert_eq!((figures.outward_dropped, figures.outward_waiting), (10, HUB_LINK_MESSAGES_MAX as u64));
    assert_eq!(figures.outward_waiting, figures.outward_waiting_max);
    assert_eq!(link.next().await.expect("a batch").number, before + 2);
    let mut last = before + 2;
    while hub.figures().outward_waiting > 0 {
        last += 1;
        assert_eq!(link.next().await.expect("a batch").number, last);
    }
    // A hub that nobody joins to others keeps nothing for them.
    assert_eq!(Hub::new().figures().outward_waiting_max, 0);
    drop(hub);
    assert_eq!(link.next().await, None);
}

#[tokio::test]
async fn senders_are_remembered_up_to_a_bound() {
    let (hub, link) = Hub::linked();
    let (ear, mut subscriber) = (link.ear(), hub.subscribe());
    let sender = |number: usize| SenderId((number as u128).to_le_bytes());
    let bytes = codec::encode(&[]);
    for number in 0..=HUB_SENDERS_COUNT_MAX {
        ear.hear(sender(number), 1, &bytes);
        assert_eq!(heard(&mut subscriber), [Heard::Lagged]);
    }
    ear.hear(sender(HUB_SENDERS_COUNT_MAX), 2, &bytes);
    assert_eq!(heard(&mut subscriber), []);
    ear.hear(sender(0), 2, &bytes);
    assert_eq!(heard(&mut subscriber), [Heard::Lagged]);
    assert_eq!(ear.senders.lock().unwrap().last.len(), HUB_SENDERS_COUNT_MAX);
}
