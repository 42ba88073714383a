//! A project's story: whose its name is, and what is listed of it.

use std::collections::BTreeSet;

use corral_domain::Value;
use corral_testkit::items::opening;
use corral_testkit::sandbox::refused;
use corral_testkit::{Sandbox, Writer};
use corral_wire::proto;
use futures_util::future::join_all;
use serde_json::json;
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_claimed_by_many_at_once_is_the_first_ones_for_all() {
    let sandbox = Sandbox::start().await;
    for round in 0..3 {
        let name = format!("name {round}");
        let opened = join_all((0..16).map(|at| {
            let (sandbox, opening) = (&sandbox, opening(&name));
            async move { Writer::open(sandbox, &format!("run-{round}-{at}"), opening).await }
        }));
        let opened = opened.await;
        let winners: BTreeSet<Vec<u8>> = opened.iter().map(|writer| writer.opened.project_id.to_vec()).collect();
        assert_eq!(winners.len(), 1, "everybody gets the winner");
        let not_before = opened.iter().map(|writer| writer.position).collect();
        let freshness = Some(proto::Freshness { not_before, as_of_us: None });
        let request = proto::ListProjectsRequest { freshness, ..Default::default() };
        let projects = sandbox.query().list_projects(request).await.unwrap().into_inner().projects;
        let named: Vec<_> = projects.iter().filter(|project| project.name == name).collect();
        assert_eq!((named.len(), named[0].runs, named[0].actor.as_str()), (1, 16, "owner"));
        let id: String = opened[0].opened.project_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(named[0].id, id);
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_listed_by_name_and_known_by_name_and_id_after_a_restart_too() {
    let mut sandbox = Sandbox::start().await;
    let names = ["b", "A", "ä", "a b/..", "<i>"];
    for (at, name) in names.iter().enumerate() {
        let mut writer = Writer::open(&sandbox, &format!("r{at}"), opening(name)).await;
        writer.log(1, &[("loss", Value::F64(1.0))]).await;
        writer.seen(&sandbox).await;
    }
    for _ in 0..2 {
        let mut listed = Vec::new();
        let mut request = proto::ListProjectsRequest { page_size: 2, ..Default::default() };
        loop {
            let page = sandbox.query().list_projects(request.clone()).await.unwrap().into_inner();
            assert!(page.projects.len() <= 2);
            listed.extend(page.projects);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let shown: Vec<&str> = listed.iter().map(|project| project.name.as_str()).collect();
        assert_eq!(shown, ["<i>", "A", "a b/..", "b", "ä"]);
        for project in &listed {
            assert!(project.runs == 1 && project.last_active_us >= project.created_us, "{project:?}");
            let by_id = sandbox.json("ListRuns", json!({ "project": project.id })).await;
            let by_name = sandbox.json("ListRuns", json!({ "project": project.name })).await;
            assert_eq!(by_id["runs"], by_name["runs"]);
            assert_eq!(by_id["runs"][0]["projectId"], json!(project.id));
        }
        let nobody = proto::ListRunsRequest { project: "nobody's".into(), ..Default::default() };
        refused(sandbox.query().list_runs(nobody).await, Code::NotFound);
        sandbox = sandbox.restart().await;
    }
    sandbox.stop().await;
}
