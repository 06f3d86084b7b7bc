//! `qrt install`: install objects from a file, standard input, a bundled sample or a directory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use qrt_shared::budget::{self, Budget};
use qrt_shared::control::{BODY_BYTES_MAX, CODE_BYTES_MAX, Install, InstallObject, Installed, InstalledObject};
use qrt_shared::id::Petname;
use qrt_shared::view::{DryInstall, DryObject};
use serde_json::value::RawValue;

use super::input::{cannot_read, text};
use super::{Call, Done, object_value};
use crate::failure::Failure;
use crate::output::Output;
use crate::samples::{self, SAMPLES};

/// In a directory, the first memory of its objects.
const MEMORY_FILE: &str = "memory.json";

/// The native power every object gets unless `--no-make-object` is given.
const MAKE_OBJECT: &str = "make_object";

/// Code on its way to become an object.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    /// What errors call it.
    path: String,
    /// What it is called in the list of what was installed: the file's name without `.js`.
    name: String,
    code: String,
}

/// What the argument `FILE` stands for.
#[derive(Debug, PartialEq, Eq)]
struct Sources {
    each: Vec<Source>,
    /// Whether it is a directory.
    many: bool,
    /// The text of `memory.json`, and its path.
    memory: Option<(String, String)>,
}

pub(super) async fn run(call: &mut Call) -> Done {
    if call.flag("no-memory") && call.text("memory").is_some() {
        return Err(Failure::Usage("--memory and --no-memory contradict each other".to_owned()));
    }
    let natives = natives(call.text("grant"), call.flag("no-make-object"))?;
    let petname: Option<Petname> = call.text("name").map(str::parse).transpose()?;
    let sources = read(call.path("FILE"))?;
    if petname.is_some() && sources.each.len() > 1 {
        return Err(Failure::Usage("--name is for one object, and this directory has several".to_owned()));
    }
    let memory = memory(call, &sources)?;
    let power = object_value(call.text("power").unwrap_or("{}"), "power")?;
    if let Some(native) = natives.keys().find(|native| has_key(&power, native)) {
        let instead = if native == MAKE_OBJECT { "give --no-make-object" } else { "leave it out of --grant" };
        return Err(Failure::new(format!(
            "power.{native} is granted as a native power: {instead}, or call it otherwise"
        )));
    }
    let mut names = Vec::new();
    let mut objects = Vec::new();
    for source in sources.each {
        names.push(source.name);
        objects.push(InstallObject { label: source.path, code: source.code, name: petname.clone() });
    }
    let budget = |name, table| match call.text(name) {
        Some(text) => Budget::parse(text, table).map_err(|error| Failure::new(format!("--{name}: {error}"))),
        None => Ok(Budget::default()),
    };
    let (own, account_budget) = (budget("budget", budget::OBJECT)?, budget("account-budget", budget::ACCOUNT)?);
    let install = Install { objects, memory, power, natives, budget: own, account_budget };
    let length = serde_json::to_vec(&install).map_or(0, |body| body.len());
    if length > BODY_BYTES_MAX {
        return Err(Failure::new(format!(
            "code, memory and power come to {length} bytes, where {BODY_BYTES_MAX} can be installed at once: install \
             them in parts"
        )));
    }
    if call.flag("dry-run") {
        let dry = call.client().await?.dry_install(&install).await?;
        return if call.json() { Ok(call.out.json(&dry)?) } else { Ok(show_dry(&mut call.out, &dry)?) };
    }
    let installed = call.client().await?.install(&install).await?;
    let objects = installed.objects.into_iter().zip(names);
    let objects: Vec<_> = objects.map(|(object, label)| InstalledObject { qrid: object.qrid, label }).collect();
    if call.json() {
        call.out.json(&Installed { objects })?;
        return Ok(());
    }
    for object in &objects {
        if sources.many {
            call.out.line(format!("{} {}", object.qrid, crate::format::line(&object.label)))?;
        } else {
            call.out.line(object.qrid.to_string())?;
        }
    }
    Ok(())
}

/// What would be installed, and what it could reach.
fn show_dry(out: &mut Output, dry: &DryInstall) -> io::Result<()> {
    for DryObject { label, name, sha256, code_bytes } in &dry.objects {
        let name = name.as_ref().map(|name| format!(" as {name}")).unwrap_or_default();
        let size = crate::format::size(*code_bytes);
        out.line(format!("{}{name}: the code is good ({size}, SHA-256 {sha256})", crate::format::line(label)))?;
    }
    let natives: Vec<_> = dry.power.natives.values().map(String::as_str).collect();
    out.line(format!("native powers: {}", if natives.is_empty() { "none".to_owned() } else { natives.join(", ") }))?;
    let more = if dry.reaches.more { " or more" } else { "" };
    out.line(format!("it could reach {}{more}", crate::format::count(dry.reaches.nodes.len() as u64, "object")))?;
    for node in dry.reaches.nodes.iter().filter(|node| node.distance == 0) {
        let abroad = if node.local { "" } else { " (of another vat: what it can reach is unknown)" };
        out.line(format!(
            "  {}{abroad}, which it would hold",
            crate::format::object(node.name.as_ref(), &node.object)
        ))?;
    }
    for (native, count) in &dry.natives_reached {
        out.line(format!("  {} of them with {native}", crate::format::count(*count, "object")))?;
    }
    out.line("nothing was installed")
}

/// Whether `object` has this key.
fn has_key(object: &RawValue, key: &str) -> bool {
    serde_json::from_str::<BTreeMap<String, &RawValue>>(object.get()).is_ok_and(|object| object.contains_key(key))
}

/// The native powers granted: property name to native name.
fn natives(grant: Option<&str>, no_make_object: bool) -> Result<BTreeMap<String, String>, Failure> {
    let mut natives = BTreeMap::new();
    if !no_make_object {
        natives.insert(MAKE_OBJECT.to_owned(), MAKE_OBJECT.to_owned());
    }
    for name in grant.into_iter().flat_map(|names| names.split(',')).map(str::trim) {
        if name.is_empty() {
            return Err(Failure::new("--grant takes names with a comma between them"));
        }
        if name == MAKE_OBJECT && no_make_object {
            return Err(Failure::Usage("--grant make_object and --no-make-object contradict each other".to_owned()));
        }
        natives.insert(name.to_owned(), name.to_owned());
    }
    Ok(natives)
}

/// The first memory: a flag wins over `memory.json`, which wins over `{}`.
fn memory(call: &Call, sources: &Sources) -> Result<Option<Box<RawValue>>, Failure> {
    if call.flag("no-memory") {
        return Ok(None);
    }
    if let Some(text) = call.text("memory") {
        return object_value(text, "memory").map(Some);
    }
    let Some((path, text)) = &sources.memory else { return object_value("{}", "memory").map(Some) };
    object_value(text, "memory").map(Some).map_err(|failure| match failure {
        Failure::Failed(line) => Failure::Failed(format!("{path}: {line}")),
        other => other,
    })
}

/// What errors call the one text of code that `file` stands for, and the text.
pub(crate) fn one(file: &Path) -> Result<(String, String), Failure> {
    let directory = || Failure::new(format!("{} is a directory: name one file of it", file.display()));
    if file.is_dir() {
        return Err(directory());
    }
    let source = read(file)?.each.pop().ok_or_else(directory)?;
    Ok((source.path, source.code))
}

/// Reads what `file` stands for.
fn read(file: &Path) -> Result<Sources, Failure> {
    let one = |source| Sources { each: vec![source], many: false, memory: None };
    if file == Path::new("-") {
        let code = text(io::stdin().lock(), "standard input", CODE_BYTES_MAX as u64)?;
        return Ok(one(Source { path: "-".to_owned(), name: "-".to_owned(), code }));
    }
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_dir() => read_directory(file),
        Ok(_) => Ok(one(read_file(file)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let sample = file.to_str().and_then(samples::by_name).ok_or_else(|| {
                let names: Vec<_> = SAMPLES.iter().map(|sample| sample.name).collect();
                Failure::new(format!(
                    "{} is neither a file or directory nor a bundled sample: the samples are {}",
                    file.display(),
                    names.join(", ")
                ))
            })?;
            let name = sample.name.to_owned();
            Ok(one(Source { path: format!("{name}.js"), name, code: sample.code.to_owned() }))
        }
        Err(error) => Err(cannot_read(&file.display().to_string(), &error)),
    }
}

fn read_file(file: &Path) -> Result<Source, Failure> {
    let path = file.display().to_string();
    let opened = File::open(file).map_err(|error| cannot_read(&path, &error))?;
    let code = text(opened, &path, CODE_BYTES_MAX as u64)?;
    let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    Ok(Source { path, name, code })
}

/// Every `.js` file of `dir` by name, hidden ones left out, and the memory beside them.
fn read_directory(dir: &Path) -> Result<Sources, Failure> {
    let shown = dir.display().to_string();
    let failed = |error: io::Error| cannot_read(&shown, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "js") && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Failure::new(format!("there is no .js file in {shown}: each would become an object")));
    }
    files.sort();
    let each = files.iter().map(|file| read_file(file)).collect::<Result<_, _>>()?;
    let path = dir.join(MEMORY_FILE);
    let memory = match File::open(&path) {
        Ok(file) => {
            let path = path.display().to_string();
            let text = text(file, &path, BODY_BYTES_MAX as u64)?;
            Some((path, text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(cannot_read(&path.display().to_string(), &error)),
    };
    Ok(Sources { each, many: true, memory })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
        result.expect_err("it must be refused").to_string()
    }

    #[test]
    fn a_directory_is_one_object_for_each_js_file_by_its_stem() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        for (name, text) in [
            ("b.js", "()=>2"),
            ("a.x.js", "()=>1"),
            (".hidden.js", ""),
            ("notes.txt", ""),
            ("memory.json", "{\"n\":1}"),
        ] {
            fs::write(dir.path().join(name), text).expect("a file");
        }
        fs::create_dir(dir.path().join("sub.js")).expect("a directory");
        let sources = read(dir.path()).expect("sources");
        let names: Vec<_> = sources.each.iter().map(|s| (s.name.as_str(), s.code.as_str())).collect();
        assert_eq!(names, [("a.x", "()=>1"), ("b", "()=>2")]);
        assert!(sources.each[1].path.ends_with("/b.js"), "errors name the file");
        assert!(sources.many);
        assert_eq!(sources.memory.expect("a memory").1, "{\"n\":1}");
    }

    #[test]
    fn what_cannot_be_installed_is_refused_in_one_clear_line() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let path = |name: &str| dir.path().join(name);
        assert!(line(read(dir.path())).contains("there is no .js file in "));
        assert!(line(read(&path("none.js"))).contains("the samples are sample-methods, market-maker, market-taker"));
        fs::write(path("latin.js"), b"() => '\xe9'").expect("a file");
        assert!(line(read(&path("latin.js"))).contains("is not UTF-8 text (byte 7)"));
        fs::write(path("long.js"), vec![b' '; (1 << 20) + 1]).expect("a file");
        assert!(line(read(&path("long.js"))).contains("longer than the 1 MiB"));
        assert!(line(read(Path::new("/dev/zero"))).contains("longer than the 1 MiB"));
    }

    #[test]
    fn a_sample_is_found_by_its_name() {
        let sources = read(Path::new("sample-methods")).expect("a sample");
        assert!(!sources.many);
        assert_eq!(sources.each[0].name, "sample-methods");
    }

    #[test]
    fn code_of_one_object_is_one_file() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        assert!(line(one(dir.path())).ends_with("is a directory: name one file of it"));
    }

    #[tokio::test]
    async fn a_power_that_is_granted_as_native_says_which_flag_to_use() {
        let refused = async |line: &[&str]| {
            let (mut call, _) = crate::cli::fake::call(&[&["install", "d", "sample-methods"], line].concat());
            run(&mut call).await.expect_err("twice").to_string()
        };
        let told = refused(&["--power", r#"{"make\u005fobject":1}"#]).await;
        assert!(
            told.starts_with("qrt: power.make_object is granted as a native power: give --no-make-object"),
            "{told}"
        );
        let told = refused(&["--grant", "log", "--power", r#"{"log":1}"#]).await;
        assert!(told.contains("leave it out of --grant"), "{told}");
    }

    #[test]
    fn grants_add_to_make_object() {
        let names = |grant, none| natives(grant, none).map(|n| n.into_keys().collect::<Vec<_>>());
        assert_eq!(names(None, false).expect("good"), ["make_object"]);
        assert_eq!(names(Some("log, clock"), false).expect("good"), ["clock", "log", "make_object"]);
        assert_eq!(names(Some("log"), true).expect("good"), ["log"]);
        assert_eq!(names(Some("log,"), true).expect_err("bad").code(), 1);
        assert_eq!(names(Some("make_object"), true).expect_err("bad").code(), 2);
    }
}
