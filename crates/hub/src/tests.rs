//! Loss is told, never silent.

use super::*;

fn checkpointed(offset: u64) -> Message {
    Message::Checkpointed { partition: Partition(1), offset: Offset(offset) }
}

#[tokio::test]
async fn each_subscriber_hears_what_was_published_after_it_came() {
    let hub = Hub::new();
    hub.publish(checkpointed(1));
    let mut early = hub.subscribe();
    hub.publish(checkpointed(2));
    let mut late = hub.subscribe();
    let stream = StreamKey::organization(corral_domain::OrganizationId::from_bytes([3; 16]));
    let nudge = Nudge { stream, partition: Partition(2), applied_through: Offset(9) };
    hub.publish(nudge.clone());
    assert_eq!(early.next().await, Some(Heard::Message(checkpointed(2))));
    assert_eq!(early.next().await, Some(Heard::Message(nudge.clone().into())));
    assert_eq!(late.try_next(), Some(Heard::Message(nudge.into())));
    assert_eq!(late.try_next(), None);
    drop(hub);
    assert_eq!(late.next().await, None);
}

#[tokio::test]
async fn a_slow_subscriber_is_told_to_reload_and_hears_the_newest() {
    let hub = Hub::new();
    let mut slow = hub.subscribe();
    let sent = HUB_MESSAGES_MAX as u64 * 3;
    (0..sent).for_each(|offset| hub.publish(checkpointed(offset)));
    assert_eq!(slow.next().await, Some(Heard::Lagged));
    let mut last = None;
    while let Some(heard) = slow.try_next() {
        last = Some(heard);
    }
    assert_eq!(last, Some(Heard::Message(checkpointed(sent - 1))));
    assert_eq!((hub.figures().published, hub.figures().lagged), (sent, sent - HUB_MESSAGES_MAX as u64));
}
