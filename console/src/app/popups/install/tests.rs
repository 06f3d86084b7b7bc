use super::*;
use crate::app::event::{Effect, Event};
use crate::app::script::{Script, qrid};
use qrt_shared::control::InstalledObject;

/// The form with a sample's name in it.
fn form(plain: bool) -> Script {
    let mut script = Script::new(plain);
    script.typed("isample");
    script.key(KeyCode::Tab);
    script
}

#[test]
fn files_and_samples_are_offered_as_one_types() {
    let mut script = Script::new(true);
    script.typed("imark");
    assert!(script.drawn().contains("market-maker"), "{}", script.drawn());
    assert!(script.state.queries().contains(&Query::Files("mark".into())));
    script.loaded(Query::Files("mark".into()), Data::Files(vec!["marks/".into()]));
    script.key(KeyCode::Up);
    for _ in 0..3 {
        script.key(KeyCode::Down);
    }
    script.key(KeyCode::Tab);
    assert!(script.state.queries().contains(&Query::Files("marks/".into())), "a directory has more in it");
}

#[test]
fn enter_takes_what_is_picked_and_installs_what_is_there() {
    let mut script = Script::new(true);
    script.typed("imarket");
    script.key(KeyCode::Down);
    assert!(script.key(KeyCode::Enter).is_empty(), "a pick is taken first");
    let asked = Script::asked(&script.key(KeyCode::Enter));
    let [Request::Install(install)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(install.file, "market-maker");
}

#[test]
fn what_is_granted_is_what_is_marked() {
    let mut script = form(true);
    script.typed("counter");
    script.key(KeyCode::Tab);
    script.key(KeyCode::Right);
    script.key(KeyCode::Right);
    script.typed(" ");
    let drawn = script.drawn();
    assert!(drawn.contains("[x] make_object [ ] make_account [x] clock"), "{drawn}");
    assert!(drawn.contains("qrt install /v sample-methods --name counter --grant clock"), "{drawn}");
    let asked = Script::asked(&script.ctrl('s'));
    let [Request::Install(install)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((install.file.as_str(), install.name.as_str()), ("sample-methods", "counter"));
    assert_eq!(install.natives, granted(&["make_object", "clock"]));
    assert_eq!((install.memory.as_deref(), install.power.as_str()), (Some("{}"), "{}"));
    assert!(Script::asked(&script.ctrl('s')).is_empty(), "it is asked for once");
}

#[test]
fn what_is_wrong_is_said_before_the_vat_is_asked() {
    let mut script = Script::new(true);
    script.typed("i");
    script.key(KeyCode::BackTab);
    script.typed("x");
    assert!(script.drawn().contains("wanted: its code"), "{}", script.drawn());
    let mut script = form(true);
    script.key(KeyCode::BackTab);
    script.key(KeyCode::BackTab);
    script.typed("x");
    assert!(Script::asked(&script.ctrl('s')).is_empty());
    assert!(script.drawn().contains("not installed: power"), "{}", script.drawn());
}

#[test]
fn the_vat_is_asked_about_the_code_as_it_changes() {
    let mut script = form(true);
    let dry = |script: &Script| {
        let queries = script.state.queries();
        queries.into_iter().find(|query| matches!(query, Query::DryInstall(_)))
    };
    let query = dry(&script).expect("a form that could be installed");
    script.event(Event::Refused(query.clone(), "a.js:1:9: no end\nfunction (\n        ^".into()));
    let drawn = script.drawn();
    assert!(drawn.contains("it would be refused: a.js:1:9") && drawn.contains("        ^"), "{drawn}");
    script.typed("x");
    assert!(script.drawn().contains("the vat looks at it"), "what was said was said of another form");
    let text = format!(
        r#"{{"objects":[{{"label":"a.js","name":null,"sha256":"ab","code_bytes":2048}}],"power":{{"statics":{{}},"natives":{{"clock":"clock"}}}},"memory_bytes":2,"reaches":{{"nodes":[{{"object":"{}","name":"bank","local":true,"natives":[],"distance":0,"link":null}}],"more":false}},"natives_reached":{{"random":1}},"as_of":4}}"#,
        qrid()
    );
    let found: DryInstall = serde_json::from_str(&text).expect("what a dry run says");
    let query = dry(&script).expect("the other form");
    script.loaded(query, Data::DryInstall(Box::new(found)));
    let drawn = script.drawn_at(160, 50);
    let says = "it could use clock; it could reach 1 object, holding bank itself; 1 object of them with random";
    assert!(drawn.contains("ok: the code is good, 2.0 KiB"), "{drawn}");
    let together: String = drawn.split_whitespace().collect::<Vec<_>>().join(" ").replace("| | ", "");
    assert!(together.contains(says), "{drawn}");
    script.key(KeyCode::BackTab);
    script.typed("none ");
    script.ctrl('u');
    assert!(dry(&script).is_none(), "there is no code to ask about");
}

#[test]
fn a_refusal_shows_the_place_and_loses_nothing() {
    let mut script = form(true);
    let asked = Script::asked(&script.key(KeyCode::F(5)));
    script.answered(&asked[0], Err("code:1:9: unexpected end\nfunction (\n        ^".into()));
    let drawn = script.drawn();
    assert!(drawn.contains("sample-methods") && drawn.contains("not installed: code:1:9"), "{drawn}");
    let lines: Vec<_> = drawn.lines().collect();
    let code = lines.iter().position(|line| line.contains("function (")).expect("the excerpt");
    assert_eq!(lines[code].find('(').expect("the place") - 1, lines[code + 1].find('^').expect("a caret"));
}

#[test]
fn what_is_installed_is_copied_and_gone_to() {
    let mut script = form(true);
    let asked = Script::asked(&script.ctrl('s'));
    let installed = InstalledObject { qrid: qrid(), label: "x".into() };
    let effects = script.answered(&asked[0], Ok(Reply::Installed(vec![installed])));
    assert!(matches!(&effects[..], [Effect::Copy(text)] if *text == qrid().to_string()), "{effects:?}");
    let drawn = script.drawn();
    assert!(drawn.starts_with(" Objects") && drawn.contains("copied; installed\n qrt:"), "{drawn}");
    script.typed("i");
    assert!(!script.drawn().contains("> file   sample"), "what is installed is not left to do");
}

#[test]
fn code_is_written_in_the_operators_editor_or_pasted() {
    let mut script = Script::new(true);
    script.typed("i");
    let effects = script.ctrl('e');
    let [Effect::Edit(edit)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(edit.text.contains("function (args, power)"));
    script.event(Event::Edited(edit.clone(), Some("() => 1\n".into())));
    assert!(script.drawn().contains("code written here, 1 line"), "{}", script.drawn());
    script.event(Event::Paste("function () {\r  return 2;\r}".into()));
    assert!(script.drawn().contains("code written here, 3 lines"), "{}", script.drawn());
    script.key(KeyCode::Esc);
    script.typed("i");
    let asked = Script::asked(&script.ctrl('s'));
    let [Request::Install(install)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((install.file.as_str(), install.code.as_str()), ("", "function () {\n  return 2;\n}"));
}
