//! The table.

use super::{Action, Arg, Effect, Kind, Route, Via};

const fn required(name: &'static str, help: &'static str) -> Arg {
    Arg { name, kind: Kind::Required, help }
}

const fn optional(name: &'static str, help: &'static str) -> Arg {
    Arg { name, kind: Kind::Optional, help }
}

const fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg { name, kind: Kind::Flag, help }
}

const fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg { name, kind: Kind::Option { value, short: None }, help }
}

const fn demanded(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg { name, kind: Kind::Demanded { value, short: None }, help }
}

const fn get(path: &'static str) -> Route {
    Route { method: "GET", path, query: &[], body: "" }
}

const fn ask(path: &'static str, query: &'static [&'static str]) -> Route {
    Route { method: "GET", path, query, body: "" }
}

const fn post(path: &'static str, body: &'static str) -> Route {
    Route { method: "POST", path, query: &[], body }
}

const fn put(path: &'static str, body: &'static str) -> Route {
    Route { method: "PUT", path, query: &[], body }
}

const fn delete(path: &'static str, query: &'static [&'static str]) -> Route {
    Route { method: "DELETE", path, query, body: "" }
}

const NAME: &str = r#"{"name":"counter"}"#;
const CODE: &str = r#"{"label":"counter.js","code":"(args, power) => power.memory.count = args"}"#;
const INSTALL: &str = concat!(
    r#"{"objects":[{"label":"counter.js","code":"(args, power) => power.memory.count = args","name":"counter"}],"#,
    r#""memory":{"count":0},"power":{"limit":9},"natives":{"make_object":"make_object"},"#,
    r#""budget":{"ticks":100000},"account_budget":{"objects":1000}}"#
);

/// What every list takes.
const LIST: &[&str] = &["after", "before", "limit", "filter"];

/// The vat's base directory: the first argument of most verbs.
const DIR: Arg = required("DIR", "the vat's base directory");
const OBJECT: Arg = required("QRID", "the object: a QRID or a petname");
const HELD: Arg = required("QRID", "the object or the peer: a QRID, a vat id or a petname");
const PEER: Arg = required("PEER", "the other vat: its id or a petname");
const FAULT: Arg = required("ID", "the fault's number, as `qrt faults` shows it");
const JSON: Arg = flag("json", "print one JSON document and nothing else");

/// Every action, in the order help shows them.
pub static ACTIONS: &[Action] = &[
    Action {
        verb: "create-node",
        summary: "Make a vat: base directory, key pair, database and settings",
        details: "The directory must not exist, or be empty. It is readable by its owner only. Its settings are in \
                  DIR/settings.toml.",
        effect: Effect::Change,
        via: Via::Qrtd,
        args: &[
            DIR,
            option("listen", "ADDR:PORT", "where other vats will reach it [default: 127.0.0.1:0, a free port]"),
            option("url", "URL", "the URL it tells other vats [default: made from --listen]"),
            JSON,
        ],
    },
    Action {
        verb: "start",
        summary: "Start the vat's daemon; return when it serves",
        details: "A database that went back behind its mark (a write-ahead log cut short, an old file put back) is not \
                  served until --after-rollback says that you know: then each peer is asked where it stands before \
                  anything is sent to it. Use that too after you put a whole directory back.",
        effect: Effect::Change,
        via: Via::Qrtd,
        args: &[
            DIR,
            flag("foreground", "stay attached to the terminal and log to it"),
            flag("after-rollback", "go on with a database that went back"),
            JSON,
        ],
    },
    Action {
        verb: "stop",
        summary: "Stop the vat's daemon in good order; nothing accepted is lost",
        details: "",
        effect: Effect::Change,
        via: Via::Control(&[post("/v1/stop", "")]),
        args: &[DIR, JSON],
    },
    Action {
        verb: "info",
        summary: "Show what the vat is and how it is doing",
        details: "Works on a stopped vat too: the counts are then those of its database.",
        effect: Effect::Read,
        via: Via::Control(&[
            get("/v1/info"),
            get("/v1/overview"),
            ask("/v1/events", &["after", "tell", "object"]),
            get("/v1/storage"),
            get("/v1/metrics"),
            get("/v1/"),
        ]),
        args: &[DIR, JSON],
    },
    Action {
        verb: "install",
        summary: "Install an object and print its QRID",
        details: "FILE is a .js file, `-` for standard input, the name of a bundled sample (`sample-methods`, \
                  `market-maker`, `market-taker`), or a directory: then one object for each .js file in it, one line \
                  `QRID name` for each, and memory.json beside them their first memory. A new object has an empty \
                  memory and the power make_object unless the flags say otherwise. What --budget does not name is as \
                  settings.toml says, in [turn] and [object], and whatever the object makes inherits it. What \
                  --account-budget does not name is as in [account]: cpu is CPU time that can have been saved up, \
                  refill what comes back each second; messages whose account has spent it wait.",
        effect: Effect::Change,
        via: Via::Control(&[post("/v1/objects", INSTALL), post("/v1/dry/objects", INSTALL)]),
        args: &[
            DIR,
            required("FILE", "its code: a .js file, -, a sample's name, or a directory"),
            option("name", "PETNAME", "a petname for it"),
            option("memory", "JSON", "its first memory, an object [default: {}]"),
            flag("no-memory", "give it no memory"),
            option("power", "JSON", "static data and references it is granted, an object"),
            option("grant", "NAME[,NAME]", "further native powers: make_account, clock, random, log"),
            flag("no-make-object", "do not grant make_object"),
            option(
                "budget",
                "FIGURES",
                "what it may keep and its turns may use, with a comma between them: ticks=N, \
                memory=64MiB, cpu=2s, wall=10s, messages=N, objects=N, bytes=4MiB, log=N, jobs=N, calls=N, stored=1GiB",
            ),
            option(
                "account-budget",
                "FIGURES",
                "what its account may use in all: cpu=10s,refill=100ms/s, objects=N, \
                memory=1GiB, queued=64MiB",
            ),
            flag("dry-run", "install nothing: check the code, and say what it would be able to reach"),
            JSON,
        ],
    },
    Action {
        verb: "send",
        summary: "Send a message to an object; return once it is durable",
        details: "With --wait, print {\"turn\",\"outcome\",\"result\",\"error\"} on one line when its turn has ended; exit \
                  1 unless the outcome is ok. To an object of another vat --wait waits until that vat acknowledges it, and \
                  prints {\"peer\",\"seq\",\"acked\":true}. A timeout or Ctrl-C ends the wait, not the message: the line on \
                  stderr names it. The same --key to the same target within 24 hours is queued once and answers the same.",
        effect: Effect::Change,
        via: Via::Control(&[
            post("/v1/messages", r#"{"target":"counter","args":{"by":2},"key":"once"}"#),
            ask("/v1/messages/{message}/outcome", &["wait_ms"]),
        ]),
        args: &[
            Arg {
                name: "dir",
                kind: Kind::Demanded { value: "DIR", short: Some('d') },
                help: "the base directory of the vat that sends [default: $QRT_DIR]",
            },
            flag("wait", "wait for the turn, or the other vat's acknowledgement, and print it"),
            option("timeout", "S", "how many seconds --wait waits [default: for ever]"),
            option("key", "TEXT", "queue this once, however often it is sent with this key"),
            OBJECT,
            required(
                "ARGSJSON",
                "the arguments: QJSON, a reference being {\"@qref\": \"qrt:...\"}; - reads standard input",
            ),
            JSON,
        ],
    },
    Action {
        verb: "objects",
        summary: "List the objects",
        details: "",
        effect: Effect::Read,
        via: Via::Control(&[
            ask("/v1/objects", &["after", "before", "limit", "filter", "sort", "account"]),
            ask("/v1/accounts", &["after", "before", "limit", "filter", "sort"]),
        ]),
        args: &[DIR, option("filter", "TEXT", "only those whose petname or QRID contains TEXT"), JSON],
    },
    Action {
        verb: "object",
        summary: "Show one object: code, power, memory, what it holds and who holds it",
        details: "",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/objects/{object}", &["memory"])]),
        args: &[DIR, OBJECT, JSON],
    },
    Action {
        verb: "memory",
        summary: "Print an object's memory as QJSON",
        details: "As it is, or as far back as the journal goes: as a turn left it (--at), what is not the same after two \
                  turns (--diff), or which turn, or operator's edit, last changed each key (--blame).",
        effect: Effect::Read,
        via: Via::Control(&[
            ask("/v1/objects/{object}/memory", &["at"]),
            ask("/v1/objects/{object}/entries", LIST),
            get("/v1/objects/{object}/entries/{key}"),
            ask("/v1/objects/{object}/memory/diff", &["from", "to"]),
            ask("/v1/objects/{object}/memory/blame", &["after", "key"]),
        ]),
        args: &[
            DIR,
            OBJECT,
            option("at", "TURN", "as this turn left it"),
            option("diff", "TURN1 TURN2", "what changed from how the first turn left it to how the second did"),
            flag("blame", "which turn last changed each key"),
            option("key", "KEY", "with --blame: only this key, also one that is gone"),
            JSON,
        ],
    },
    Action {
        verb: "name",
        summary: "Give an object or a peer a petname, show it, or take it away",
        details: "Without PETNAME, print the name it has. Petnames are yours alone: object code never sees them.",
        effect: Effect::Change,
        via: Via::Control(&[
            put("/v1/objects/{object}/name", NAME),
            delete("/v1/objects/{object}/name", &[]),
            put("/v1/peers/{peer}/name", NAME),
            delete("/v1/peers/{peer}/name", &[]),
        ]),
        args: &[
            DIR,
            required("QRID", "the object or the peer: a QRID, a vat id or a petname"),
            optional("PETNAME", "the new name: a-z 0-9 . _ -, at most 64, unique in the vat"),
            flag("remove", "take its name away"),
            JSON,
        ],
    },
    Action {
        verb: "upgrade",
        summary: "Give an object new code; its QRID, power and memory stay",
        details: "Takes its place in the order of turns: messages that are queued run on the new code. The old code is kept \
                  in the object's history. FILE is a .js file, `-`, or the name of a bundled sample.",
        effect: Effect::Change,
        via: Via::Control(&[post("/v1/objects/{object}/code", CODE), post("/v1/dry/objects/{object}/code", CODE)]),
        args: &[
            DIR,
            OBJECT,
            required("FILE", "the code: a .js file, -, or a sample's name"),
            flag("dry-run", "change nothing: check the code, and show what would change"),
            JSON,
        ],
    },
    Action {
        verb: "memory-set",
        summary: "Set one key of an object's memory by hand",
        details: "Takes its place in the order of turns and in the journal, with the old value. With --expect nothing \
                  happens unless that is its value when the edit's turn comes; a key that is not there has none.",
        effect: Effect::Change,
        via: Via::Control(&[put("/v1/objects/{object}/memory/{key}", r#"{"value":2,"expect":1}"#)]),
        args: &[
            DIR,
            OBJECT,
            required("KEY", "the top-level key"),
            required("JSON", "its value: QJSON"),
            option("expect", "JSON", "set it only if this is its value now"),
            JSON,
        ],
    },
    Action {
        verb: "hold",
        summary: "Let an object take no turns, or a peer get no deliveries; the queue is kept",
        details: "A held object cannot be called either. What was sent waits until `qrt release`.",
        effect: Effect::Change,
        via: Via::Control(&[post("/v1/objects/{object}/hold", ""), post("/v1/peers/{peer}/hold", "")]),
        args: &[DIR, HELD, JSON],
    },
    Action {
        verb: "release",
        summary: "Let a held object take turns again, or a held peer get deliveries",
        details: "",
        effect: Effect::Change,
        via: Via::Control(&[post("/v1/objects/{object}/release", ""), post("/v1/peers/{peer}/release", "")]),
        args: &[DIR, HELD, JSON],
    },
    Action {
        verb: "remove",
        summary: "Remove an object; its id stays refused for ever",
        details: "Shows who holds a reference to it, and asks. Messages that are queued for it become faults. With --account \
                  every object of its account goes.",
        effect: Effect::Destroy,
        via: Via::Control(&[delete("/v1/objects/{object}", &["account"])]),
        args: &[DIR, OBJECT, flag("account", "remove every object of its account"), flag("yes", "do not ask"), JSON],
    },
    Action {
        verb: "inbox",
        summary: "List messages that are queued and not yet executed",
        details: "",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/inbox", &["after", "before", "limit", "filter", "object"])]),
        args: &[DIR, JSON],
    },
    Action {
        verb: "turns",
        summary: "Show the turn journal, newest last",
        details: "With --follow --json, one document a line until interrupted.",
        effect: Effect::Read,
        via: Via::Control(&[
            ask("/v1/turns", &["after", "before", "limit", "filter", "object", "account", "outcome", "wait_ms"]),
            get("/v1/turns/{turn}"),
        ]),
        args: &[
            DIR,
            flag("follow", "go on with each new turn until interrupted"),
            option("object", "QRID", "only turns of this object"),
            Arg {
                name: "count",
                kind: Kind::Option { value: "N", short: Some('n') },
                help: "how many of the newest [default: 20]",
            },
            JSON,
        ],
    },
    Action {
        verb: "faults",
        summary: "List messages whose turn failed",
        details: "",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/faults", &["after", "before", "limit", "filter", "object"])]),
        args: &[DIR, JSON],
    },
    Action {
        verb: "fault-retry",
        summary: "Queue a failed message again, at the end of its queue",
        details: "",
        effect: Effect::Change,
        via: Via::Control(&[post("/v1/faults/{fault}/retry", "")]),
        args: &[DIR, FAULT, JSON],
    },
    Action {
        verb: "fault-drop",
        summary: "Forget a failed message",
        details: "",
        effect: Effect::Destroy,
        via: Via::Control(&[delete("/v1/faults/{fault}", &[])]),
        args: &[DIR, FAULT, JSON],
    },
    Action {
        verb: "gossip",
        summary: "Tell vats of each other: every one learns the others' ids and URLs",
        details: "Each must be running and have a URL. Vats on other machines are told with peer-add.",
        effect: Effect::Change,
        via: Via::Qrt,
        args: &[Arg { name: "DIR", kind: Kind::Many, help: "the vats' base directories, two or more" }, JSON],
    },
    Action {
        verb: "peer-add",
        summary: "Learn where another vat answers",
        details: "What waits for it is tried at once. A vat may have several URLs: the last good one is tried first.",
        effect: Effect::Change,
        via: Via::Control(&[post(
            "/v1/peers",
            r#"{"vat":"rupbloepji4k2z7rk5qc2fum5xfrxipxmcct35hz63thwqq3luiq","urls":["http://127.0.0.1:7000"]}"#,
        )]),
        args: &[
            DIR,
            required("VATID", "the other vat's id, as its `qrt info` shows it"),
            required("URL", "where it answers: http://host:port"),
            JSON,
        ],
    },
    Action {
        verb: "peers",
        summary: "List the other vats, and how the channels to and from them stand",
        details: "",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/peers", LIST), get("/v1/peers/{peer}")]),
        args: &[DIR, JSON],
    },
    Action {
        verb: "outbox",
        summary: "List messages to other vats that are not yet acknowledged",
        details: "Each is tried until the other vat acknowledges it. `qrt why DIR PEER#SEQ` says what keeps one waiting.",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/outbox", &["after", "before", "limit", "filter", "peer"])]),
        args: &[DIR, option("peer", "PEER", "only those to this vat"), JSON],
    },
    Action {
        verb: "retry",
        summary: "Try waiting deliveries now",
        details: "A peer whose channel is stopped is asked again where it stands.",
        effect: Effect::Change,
        via: Via::Control(&[post("/v1/retry", r#"{"peer":"market"}"#)]),
        args: &[DIR, option("peer", "PEER", "only those to this vat"), JSON],
    },
    Action {
        verb: "drop",
        summary: "Drop a message to another vat: a void takes its number",
        details: "The other vat accepts and acknowledges the void, and nothing runs: a hole would block the channel for \
                  ever. If the message was tried before, it may have arrived all the same; the answer says so.",
        effect: Effect::Destroy,
        via: Via::Control(&[post("/v1/peers/{peer}/outbox/{seq}/drop", r#"{"reason":"sent by mistake"}"#)]),
        args: &[
            DIR,
            PEER,
            required("SEQ", "the message's number on the channel, as `qrt outbox` shows it"),
            demanded("reason", "TEXT", "why; the other vat is told"),
            flag("yes", "do not ask"),
            JSON,
        ],
    },
    Action {
        verb: "peer-resync",
        summary: "Go on with a peer whose history is not ours any more",
        details: "For a peer that is diverged or rolled back. It is asked where it stands; what may be lost or repeated is \
                  said in numbers, and asked about; then the messages that are held are numbered anew from there.",
        effect: Effect::Destroy,
        via: Via::Control(&[post(
            "/v1/peers/{peer}/resync",
            r#"{"expect":{"last_in":7,"tip":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","next_out":9}}"#,
        )]),
        args: &[DIR, PEER, flag("yes", "do not ask"), JSON],
    },
    Action {
        verb: "why",
        summary: "Say what keeps something from going on, and the command that would clear it",
        details: "SUBJECT is an object (QRID or petname), a peer (vat id or petname), a message (in:N or PEER#SEQ), or left \
                  out: the vat.",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/why", &["subject"])]),
        args: &[DIR, optional("SUBJECT", "what is stuck: QRID, PEER, in:N, PEER#SEQ or a petname"), JSON],
    },
    Action {
        verb: "trace",
        summary: "Print the tree of causes and effects of a turn or a message",
        details: "It begins at the first cause that is known. Messages to and from other vats are followed into the vats \
                  named with --also. A step's only effect stands under it in the same column; of several, each has a branch.",
        effect: Effect::Read,
        via: Via::Control(&[get("/v1/trace/{subject}"), get("/v1/trace/from/{vat}/{seq}")]),
        args: &[
            DIR,
            required("SUBJECT", "a turn's number, or a message: in:N or PEER#SEQ"),
            Arg {
                name: "also",
                kind: Kind::Repeated { value: "DIR" },
                help: "the base directory of another vat to follow into; may be given again",
            },
            JSON,
        ],
    },
    Action {
        verb: "replay",
        summary: "Run a recorded turn again and show what comes out otherwise",
        details: "It runs in a worker of its own with what the journal recorded of it: code, arguments, memory, clock, \
                  random bytes. Nothing is kept and nothing is sent. Without changes it does the same again; exit 1 when it \
                  does not. With --code, --args or --memory it shows what would have come of that instead. A turn that the \
                  journal has dropped, or that ran an object removed since, cannot be run again.",
        effect: Effect::Read,
        via: Via::Control(&[post(
            "/v1/turns/{turn}/replay",
            r#"{"code":{"label":"new.js","code":"(args, power) => 1"},"args":{"by":3},"memory":{"count":1}}"#,
        )]),
        args: &[
            DIR,
            required("TURN", "the turn's number, as `qrt turns` shows it"),
            option("code", "FILE", "run this code in place of the object's: a .js file, -, or a sample's name"),
            option("args", "JSON", "send these arguments instead: QJSON"),
            option("memory", "JSON", "have the object's memory be this instead, an object"),
            JSON,
        ],
    },
    Action {
        verb: "reach",
        summary: "Show what an object can reach, what can reach it and what keeps it reachable",
        details: "By what powers and memories of this vat's objects hold, over any number of links. What other vats hold \
                  nobody here can know. With --to or --from, the shortest way from one object to another; with --native \
                  instead of an object, those that hold this native power. --dot prints a graph for Graphviz.",
        effect: Effect::Read,
        via: Via::Control(&[
            ask("/v1/objects/{object}/reach", &["limit"]),
            ask("/v1/objects/{object}/reach/{other}", &["limit"]),
            ask("/v1/natives/{native}", &["after"]),
        ]),
        args: &[
            DIR,
            optional("QRID", "the object: a QRID or a petname"),
            option("to", "QRID", "the shortest way from it to this one"),
            option("from", "QRID", "the shortest way from this one to it"),
            option("native", "NAME", "the objects that hold make_object, make_account, clock, random or log"),
            Arg {
                name: "limit",
                kind: Kind::Option { value: "N", short: None },
                help: "how many objects to look at, at most 10,000 [default: 1000]",
            },
            flag("dot", "print a graph for Graphviz"),
            JSON,
        ],
    },
    Action {
        verb: "sweep",
        summary: "List objects that nothing known can reach",
        details: "Those that no petname, no installed object, no waiting message and no other vat that was told of them leads \
                  to. A vat that got a QRID in another way can still send to one, so nothing is removed: `qrt remove` does \
                  that, one by one.",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/sweep", &["after"])]),
        args: &[DIR, flag("dry-run", "only list them, which is all it ever does"), JSON],
    },
    Action {
        verb: "backup",
        summary: "Copy a vat, running or stopped, into one file",
        details: "The copy is of one commit, and the vat goes on meanwhile. It is readable by its owner only, and \
                  overwrites nothing. The vat's secret key is in it only with --with-key: who has such a file is the vat. \
                  Without it, keep DIR/key apart; a restore needs it. Never copy vat.db of a running vat by other means.",
        effect: Effect::Change,
        via: Via::Control(&[post("/v1/backup", r#"{"file":"/var/backups/vat","with_key":false}"#)]),
        args: &[
            DIR,
            required("FILE", "the new file"),
            flag("with-key", "put the vat's secret key in: who has the file is the vat"),
            JSON,
        ],
    },
    Action {
        verb: "restore",
        summary: "Make a vat from a backup",
        details: "DIR must not exist, or be empty. The backup is checked first. The same vat comes back, so its directory of \
                  before must never run again; what came after the backup it has forgotten, so each peer is asked where it \
                  stands before anything is sent to it. With --fork it becomes another vat, with a new key and a free \
                  port: its objects and inbox are the same, its outbox is emptied and every channel begins anew.",
        effect: Effect::Change,
        via: Via::Qrtd,
        args: &[
            required("FILE", "the backup"),
            DIR,
            option("key", "FILE", "the vat's key file, if the backup does not hold it"),
            flag("fork", "make another vat of it, with a key of its own"),
            JSON,
        ],
    },
    Action {
        verb: "checkpoint",
        summary: "Move everything from the write-ahead log into the database now",
        details: "The vat does so by itself all the time; this is for before its files are looked at from outside. Turns wait \
                  meanwhile. The log stays as long as somebody reads what is in it.",
        effect: Effect::Change,
        via: Via::Control(&[post("/v1/checkpoint", "")]),
        args: &[DIR, JSON],
    },
    Action {
        verb: "check",
        summary: "Say whether a vat, running or stopped, is well, line by line",
        details: "Looks at files, key, settings, disk, clock, sandbox and versions, and at what the database promises: that \
                  sums fit their rows, edges their values, channels their messages. Changes nothing. Exit 1 when a check \
                  fails. Each check takes a few seconds at most, unless --full has it read all there is.",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/check", &["full"])]),
        args: &[DIR, flag("full", "read all there is, however long it takes"), JSON],
    },
    Action {
        verb: "audit",
        summary: "List what operators did to the vat, newest last",
        details: "Every change is there, with its time and the user and process at the other end of the control socket. What \
                  the vat did by itself has process 0.",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/audit", LIST)]),
        args: &[
            DIR,
            Arg {
                name: "count",
                kind: Kind::Option { value: "N", short: Some('n') },
                help: "only so many of the newest [default: all]",
            },
            JSON,
        ],
    },
    Action {
        verb: "log",
        summary: "Show what the daemon and the objects logged, in one stream",
        details: "The lines of DIR/qrtd.log and those that turns logged (power.log, console), by their times. Those of turns \
                  go with the journal. With --follow --json, one document a line until interrupted. Works on a stopped \
                  vat too, but for --follow.",
        effect: Effect::Read,
        via: Via::Control(&[ask("/v1/log", &["newest", "offset", "turn", "wait_ms"])]),
        args: &[
            DIR,
            flag("follow", "go on with each new line until interrupted"),
            Arg {
                name: "count",
                kind: Kind::Option { value: "N", short: Some('n') },
                help: "how many of the newest [default: 50]",
            },
            JSON,
        ],
    },
    Action {
        verb: "settings",
        summary: "List every setting: its value, its default, and where it comes from",
        details: "Settings are read when the daemon starts, and, but for those that only a start takes, when it gets the \
                  signal HUP. What DIR/settings.toml says by now, if it is something else, stands beside it with what \
                  takes it. Works on a stopped vat too.",
        effect: Effect::Read,
        via: Via::Control(&[get("/v1/settings")]),
        args: &[DIR, JSON],
    },
    Action {
        verb: "console",
        summary: "Open the operator console",
        details: "See the vat whole, find out why something is stuck, install and change objects, send messages. ? shows the \
                  keys. It goes over the control socket like every other verb, and comes back by itself when the daemon does.",
        effect: Effect::Change,
        via: Via::Qrt,
        args: &[
            DIR,
            Arg {
                name: "also",
                kind: Kind::Repeated { value: "DIR" },
                help: "the base directory of another vat, which `v` goes to; may be given again",
            },
            flag("read-only", "look, and change nothing"),
            option("theme", "NAME", "dark, light, or mono for no colours [default: dark; mono under NO_COLOR]"),
            flag("ascii", "draw with ASCII alone [default: unless the locale is UTF-8]"),
            flag("mouse", "take the mouse: the wheel scrolls"),
            option("record", "FILE", "write down all that the console is told: for a bug report; QRIDs are in it"),
        ],
    },
    Action {
        verb: "demo",
        summary: "Run two vats with live sample objects in a scratch directory, and the console on them",
        details: "Without a terminal, or with --tour, a scripted tour: it prints what happens, checks it against the vats' own \
                  journals, and exits 1 when a check fails. What it made is gone when it ends.",
        effect: Effect::Read,
        via: Via::Qrt,
        args: &[
            flag("tour", "the scripted tour, on a terminal too"),
            option("record", "FILE", "write down all that the console is told, as `qrt console --record` does"),
        ],
    },
    Action {
        verb: "completions",
        summary: "Print completions of verbs and flags for a shell",
        details: "SHELL is bash, elvish, fish, powershell or zsh. For bash: qrt completions bash > \
                  ~/.local/share/bash-completion/completions/qrt",
        effect: Effect::Read,
        via: Via::Qrt,
        args: &[required("SHELL", "the shell")],
    },
    Action {
        verb: "man",
        summary: "Print the manual page of qrt, or of a verb",
        details: "It is in roff: qrt man | man -l -",
        effect: Effect::Read,
        via: Via::Qrt,
        args: &[optional("VERB", "the verb")],
    },
];
