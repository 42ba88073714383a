//! The whole table, spelled out.

use super::*;

#[test]
fn the_table() {
    use Permission::{Admin, AnyKey, AppendRuns, Public, ReadRuns};
    let read = [Public, AnyKey, ReadRuns].as_slice();
    let append = [Public, AnyKey, ReadRuns, AppendRuns].as_slice();
    let all = [Public, AnyKey, ReadRuns, AppendRuns, Admin].as_slice();
    let cases = [
        (Role::Viewer, Scope::Full, read),
        (Role::Viewer, Scope::Train, read),
        (Role::Viewer, Scope::Read, read),
        (Role::Commenter, Scope::Full, read),
        (Role::Commenter, Scope::Train, read),
        (Role::Commenter, Scope::Read, read),
        (Role::Editor, Scope::Full, append),
        (Role::Editor, Scope::Train, append),
        (Role::Editor, Scope::Read, read),
        (Role::Admin, Scope::Full, all),
        (Role::Admin, Scope::Train, append),
        (Role::Admin, Scope::Read, read),
    ];
    for (role, scope, allowed) in cases {
        let principal = Principal {
            organization: OrganizationId::from_bytes([1; 16]),
            actor: "ada".parse().unwrap(),
            role,
            scope,
            proof: Proof::Session([0; 32]),
        };
        for permission in Permission::ALL {
            let expect = if allowed.contains(&permission) { Ok(()) } else { Err(Denied::Forbidden) };
            assert_eq!(authorize(&principal, permission), expect, "{role:?} {scope:?} {permission:?}");
        }
    }
    for permission in Permission::ALL {
        let expect = if permission == Public { Ok(()) } else { Err(Denied::Unauthenticated) };
        assert_eq!(authorize(None, permission), expect, "{permission:?}");
    }
}
