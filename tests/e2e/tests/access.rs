//! Every route that the running server declares, over its real port: without a key, with a wrong, an expired, a narrow and
//! a right one, with half a browser's session and with both halves. Nothing that is declared is left out, because the list
//! is the server's own.

use bytes::Bytes;
use corral_access::{Permission, Scope};
use corral_domain::Micros;
use corral_testkit::http::{grpc_frame, head};
use corral_testkit::{Browser, Sandbox, Socket};
use corral_web::route::{Call, Declared};
use http::{Request, StatusCode};

/// What a route says to credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Unauthenticated,
    Forbidden,
    /// Let through to the handler, whatever that makes of an empty request.
    Passes,
}

async fn ask(sandbox: &Sandbox, route: &Declared, headers: &[(&'static str, &str)]) -> Says {
    if route.path == "/session" {
        return match Socket::upgrade(sandbox, headers).await {
            Ok(_) => Says::Passes,
            Err(StatusCode::UNAUTHORIZED) => Says::Unauthenticated,
            Err(StatusCode::FORBIDDEN) => Says::Forbidden,
            Err(other) => panic!("{route:?}: {other}"),
        };
    }
    let method = if route.call == Call::Get { "GET" } else { "POST" };
    let mut request = Request::builder().method(method).uri(route.path);
    let mut body = Bytes::new();
    if route.call == Call::Grpc {
        request = request.header("content-type", "application/grpc-web+proto");
        // Of a message that has no such field, so that no stream stays open.
        body = grpc_frame(&[0xc0, 0x3e, 1]).into();
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = head(sandbox.address_of(route.path), request.body(body).expect("a request")).await.expect("an answer");
    assert!(answer.headers.contains_key("content-security-policy"), "{route:?} is not hardened");
    match (answer.status, answer.grpc_status()) {
        (_, Some(16)) | (StatusCode::UNAUTHORIZED, _) => Says::Unauthenticated,
        (_, Some(7)) | (StatusCode::FORBIDDEN, _) => Says::Forbidden,
        (status, _) => {
            // Not being ready is what one route is there to say.
            assert!(!status.is_server_error() || route.path == "/readyz", "{route:?}: {status}");
            Says::Passes
        }
    }
}

/// What a narrow key may: nothing but what its scope says.
fn of_scope(scope: Scope, permission: Permission) -> Says {
    let may = match permission {
        Permission::Public | Permission::AnyKey | Permission::ReadRuns => true,
        Permission::AppendRuns => scope != Scope::Read,
        Permission::Admin => scope == Scope::Full,
    };
    if may { Says::Passes } else { Says::Forbidden }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_declared_route_denies_by_default() {
    let sandbox = Sandbox::start().await;
    let bearer = |key: &str| format!("Bearer {key}");
    let mut forged = sandbox.key().to_owned();
    let last = if forged.pop() == Some('0') { '1' } else { '0' };
    forged.push(last);
    let wrong = [
        bearer(&forged),
        bearer("corral_0123456789ab_0"),
        bearer(&sandbox.key_of("guest", Scope::Full, Some(Micros(1)))),
        format!("Basic {}", sandbox.key()),
        sandbox.key().to_owned(),
        "Bearer".to_owned(),
    ];
    let narrow = [Scope::Read, Scope::Train].map(|scope| (scope, bearer(&sandbox.key_of("guest", scope, None))));
    let mut routes = sandbox.routes();
    // Last, because with both halves of a session it ends that.
    routes.sort_by_key(|route| route.path == "/api/logout");
    assert!(routes.len() >= 24, "{routes:?}");
    let browser = sandbox.browser().await;
    for route in &routes {
        let open = route.permission == Permission::Public;
        let needs_one = !open || route.path == "/session";
        let nobody = if needs_one { Says::Unauthenticated } else { Says::Passes };
        assert_eq!(ask(&sandbox, route, &[]).await, nobody, "{route:?} without a key");
        for key in &wrong {
            let says = ask(&sandbox, route, &[("authorization", key)]).await;
            assert_eq!(says, Says::Unauthenticated, "{route:?} with a wrong key");
        }
        for (scope, key) in &narrow {
            let says = ask(&sandbox, route, &[("authorization", key)]).await;
            assert_eq!(says, of_scope(*scope, route.permission), "{route:?} with a key for {scope:?}");
        }
        let says = ask(&sandbox, route, &[("authorization", &sandbox.bearer())]).await;
        assert_eq!(says, Says::Passes, "{route:?} with the owner's key");
        // Where roles are apart a browser asks the process that has the page, and its cookie is for that alone.
        if sandbox.address_of(route.path) == sandbox.address() {
            sessions(&sandbox, route, &browser, nobody).await;
        }
    }
    sandbox.stop().await;
}

async fn sessions(sandbox: &Sandbox, route: &Declared, browser: &Browser, nobody: Says) {
    let origin = format!("http://{}", sandbox.address());
    let (cookie, value, origin) = (
        ("cookie", browser.cookie.as_str()),
        ("x-corral-session", browser.value.as_str()),
        ("origin", origin.as_str()),
    );
    // A WebSocket cannot carry the second half in a header: its hello does, and nothing is answered before.
    let half = if route.path == "/session" { Says::Passes } else { nobody };
    assert_eq!(ask(sandbox, route, &[cookie, origin]).await, half, "{route:?} with a cookie alone");
    assert_eq!(ask(sandbox, route, &[value, origin]).await, nobody, "{route:?} with the other half alone");
    let wrong = ("x-corral-session", "0000");
    assert_eq!(
        ask(sandbox, route, &[cookie, wrong, origin]).await,
        Says::Unauthenticated,
        "{route:?} with a wrong half"
    );
    assert_eq!(ask(sandbox, route, &[cookie, value, origin]).await, Says::Passes, "{route:?} with both halves");
}
