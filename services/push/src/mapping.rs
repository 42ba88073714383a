//! What is called otherwise at the target: `--map run:OLD=NEW`, `project:OLD=NEW`, `actor:OLD=NEW`.

use std::collections::BTreeMap;

use corral_domain::limits::NAME_BYTES_MAX;
use corral_domain::{Actor, CommandId, ProjectId, RunId};
use sha2::{Digest, Sha256};

/// Why a `--map` is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("map: {text:?}: {why}")]
pub struct InvalidMap {
    pub text: String,
    pub why: String,
}

/// Names at the source, and at the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    pub(crate) runs: BTreeMap<RunId, RunId>,
    pub(crate) projects: BTreeMap<String, String>,
    actors: BTreeMap<Actor, Actor>,
    /// Accounts that are not named keep their names; else all become the account that pushes.
    keep_actors: bool,
}

impl Mapping {
    pub fn parse(maps: &[String], keep_actors: bool) -> Result<Self, InvalidMap> {
        let mut mapping = Self { keep_actors, ..Self::default() };
        for text in maps {
            let wrong = |why: String| InvalidMap { text: text.clone(), why };
            let shape = || wrong("is not run:OLD=NEW, project:OLD=NEW or actor:OLD=NEW".to_owned());
            let (kind, names) = text.split_once(':').ok_or_else(shape)?;
            let (old, new) = names.split_once('=').ok_or_else(shape)?;
            let twice = match kind {
                "run" => {
                    let id = |text: &str| text.parse::<RunId>().map_err(|error| wrong(error.to_string()));
                    mapping.runs.insert(id(old)?, id(new)?).is_some()
                }
                "project" => {
                    for name in [old, new] {
                        project_name(name).map_err(|why| wrong(why.to_owned()))?;
                    }
                    mapping.projects.insert(old.to_owned(), new.to_owned()).is_some()
                }
                "actor" => {
                    let id = |text: &str| text.parse::<Actor>().map_err(|error| wrong(error.to_string()));
                    mapping.actors.insert(id(old)?, id(new)?).is_some()
                }
                _ => return Err(shape()),
            };
            if twice {
                return Err(wrong(format!("{old} is mapped twice")));
            }
        }
        Ok(mapping)
    }

    pub(crate) fn run(&self, run: &RunId) -> RunId {
        self.runs.get(run).unwrap_or(run).clone()
    }

    pub(crate) fn project<'a>(&'a self, name: &'a str) -> &'a str {
        self.projects.get(name).map_or(name, String::as_str)
    }

    /// `pusher`: the account whose key pushes.
    pub(crate) fn actor(&self, actor: &Actor, pusher: &Actor) -> Actor {
        let other = if self.keep_actors { actor } else { pusher };
        self.actors.get(actor).unwrap_or(other).clone()
    }
}

fn project_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("a project's name is not empty"),
        name if name.len() > NAME_BYTES_MAX => Err("a project's name has at most 512 bytes"),
        name if name.chars().any(char::is_control) => Err("a project's name has no control characters"),
        _ => Ok(()),
    }
}

/// A project that has another name at the target is another project: its id follows from the old id and the name, so
/// that it is the same each time.
pub(crate) fn project_id(id: ProjectId, (old, new): (&str, &str)) -> ProjectId {
    if old == new { id } else { ProjectId::from_bytes(derived(id.as_bytes(), new)) }
}

/// The same of the command that claims the name.
pub(crate) fn command_id(id: CommandId, (old, new): (&str, &str)) -> CommandId {
    if old == new { id } else { CommandId::from_bytes(derived(id.as_bytes(), new)) }
}

fn derived(id: &[u8; 16], name: &str) -> [u8; 16] {
    let digest = Sha256::new_with_prefix(id).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(map: &str, says: Option<&str>) {
        let parsed = Mapping::parse(&[map.to_owned()], false);
        match says {
            None => assert!(parsed.is_ok(), "{map}: {parsed:?}"),
            Some(says) => {
                let error = parsed.expect_err(map).to_string();
                assert!(error.contains(says) && error.contains(&format!("{map:?}")), "{error}");
            }
        }
    }

    #[test]
    fn a_map_says_what_and_how() {
        for good in ["run:a=b", "project:vision=vision", "project:a b=ü = x", "actor:owner=ada"] {
            check(good, None);
        }
        for bad in ["", "a=b", "run:a", "team:a=b", "run", ":a=b"] {
            check(bad, Some("run:OLD=NEW"));
        }
        check("run:a=..", Some("1 to 64"));
        check("run:=b", Some("1 to 64"));
        check("project:a=", Some("not empty"));
        check("project:a=b\n", Some("control"));
        check(&format!("project:a={}", "x".repeat(513)), Some("512"));
        check("actor:a b=c", Some("1 to 64"));
        let twice = Mapping::parse(&["run:a=b".to_owned(), "run:a=c".to_owned()], false);
        assert!(twice.expect_err("twice").why.contains("twice"));
    }

    #[test]
    fn what_is_not_mapped_stays_but_accounts() {
        let maps = ["run:a=b", "project:p=q", "actor:x=y"].map(str::to_owned);
        let mapping = Mapping::parse(&maps, false).expect("a mapping");
        let (run, actor) = (|id: &str| id.parse::<RunId>().unwrap(), |id: &str| id.parse::<Actor>().unwrap());
        assert_eq!((mapping.run(&run("a")), mapping.run(&run("c"))), (run("b"), run("c")));
        assert_eq!((mapping.project("p"), mapping.project("r")), ("q", "r"));
        let me = actor("me");
        assert_eq!((mapping.actor(&actor("x"), &me), mapping.actor(&actor("z"), &me)), (actor("y"), me.clone()));
        let kept = Mapping::parse(&maps, true).expect("a mapping");
        assert_eq!((kept.actor(&actor("x"), &me), kept.actor(&actor("z"), &me)), (actor("y"), actor("z")));
    }

    #[test]
    fn a_project_of_another_name_is_another_project() {
        let id = ProjectId::from_bytes([7; 16]);
        assert_eq!(project_id(id, ("a", "a")), id);
        assert_ne!(project_id(id, ("a", "b")), id);
        assert_ne!(project_id(id, ("a", "b")), project_id(id, ("a", "c")));
        assert_eq!(project_id(id, ("a", "b")), project_id(id, ("z", "b")));
    }
}
