//! The body of a request has a bound in bytes and one in time. Time is the runtime's own: it goes on when nobody has
//! anything to do.

use std::convert::Infallible;

use axum::body::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::*;

const WAIT: Duration = Duration::from_millis(BODY_WAIT_MS_MAX);

/// A body whose parts come with a pause before each, and whose end comes with the last or never.
fn body(parts: usize, pause: Duration, ends: bool) -> Request<Body> {
    let part = move |_| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, Infallible>(Bytes::from_static(b"part"))
    };
    let parts = stream::iter(0..parts).then(part);
    Request::new(match ends {
        true => Body::from_stream(parts),
        false => Body::from_stream(parts.chain(stream::pending())),
    })
}

/// The length of the body and how long it took, or the field that is at fault.
async fn read(request: Request<Body>) -> (Result<usize, String>, Duration) {
    let began = Instant::now();
    let read = whole(request).await.map_err(|error| error.to_string());
    (read.map(|request| request.into_body().size_hint().lower() as usize), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_not_waited_for_long() {
    let late = Err(format!("body: did not come in {BODY_WAIT_MS_MAX} ms"));
    let near = |took: Duration| took >= WAIT && took < WAIT + Duration::from_millis(10);
    // Nothing, and a byte now and then: the bound is of the whole.
    for (parts, pause) in [(0, Duration::ZERO), (usize::MAX, Duration::from_secs(1))] {
        let (end, took) = read(body(parts, pause, false)).await;
        assert!(end == late && near(took), "{end:?} after {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_within_the_bound_is_read() {
    let (end, took) = read(body(19, Duration::from_secs(1), true)).await;
    assert_eq!((end, took.as_secs()), (Ok(19 * 4), 19));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_large_is_refused_as_soon_as_it_is_seen() {
    let (end, took) = read(body(usize::MAX, Duration::ZERO, false)).await;
    assert!(end.is_err_and(|error| error.contains(&HTTP_BODY_BYTES_MAX.to_string())));
    assert!(took < WAIT);
    let large = Request::new(Body::from(vec![0; HTTP_BODY_BYTES_MAX + 1]));
    assert!(read(large).await.0.is_err());
    assert!(read(Request::new(Body::from(vec![0; HTTP_BODY_BYTES_MAX]))).await.0.is_ok());
}
