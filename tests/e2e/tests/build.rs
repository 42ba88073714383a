//! Builds of the read models: made anew beside the work, and served by every process from then on.

use corral_domain::Value;
use corral_testkit::http::send_patiently;
use corral_testkit::{Sandbox, Writer};
use serde_json::Value as Json;

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_followed_by_every_process() {
    let sandbox = Sandbox::start().await;
    let mut writer = Writer::create(&sandbox, "a").await;
    writer.series("loss", &[(0, Value::F64(1.0)), (1, Value::F64(2.0))]).await;
    assert_eq!(writer.seen(&sandbox).await.run.unwrap().points, 2);
    let served = async || sandbox.figure("corral_read_store_build").await;
    let before = served().await;
    assert!(before.iter().all(|build| *build == before[0]), "{before:?}");

    let request = sandbox.request("POST", "/api/rebuild").header("content-type", "application/json");
    let request = request.body("{\"verify\":true}".into()).unwrap();
    let said = send_patiently(sandbox.address_of("/api/rebuild"), request).await.unwrap().text();
    let last: Json = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(last["code"], 0, "{said}");
    assert!(said.contains("equal: "), "{said}");

    let all = async || {
        let now = served().await;
        now.iter().all(|build| *build > before[0]).then_some(now)
    };
    let after = sandbox.until(all).await;
    assert!(after.iter().all(|build| *build == after[0]), "{after:?}");
    // What comes goes into the new one, and is read from it.
    writer.log(2, &[("loss", Value::F64(3.0))]).await;
    assert_eq!(writer.seen(&sandbox).await.run.unwrap().points, 3);
    let mut other = Writer::create(&sandbox, "b").await;
    other.log(0, &[("loss", Value::F64(1.0))]).await;
    assert_eq!(other.seen(&sandbox).await.run.unwrap().points, 1);
    sandbox.stop().await;
}
