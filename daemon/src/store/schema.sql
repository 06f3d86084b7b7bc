-- The whole schema of a vat's database, version 1.
--
-- One writer (the kernel's thread) and a few readers. Times are milliseconds since the epoch.
-- QJSON is in inside form: a Reference is {"@qref":<reference.reference>}. History of versions:
--   1  the first.

-- The vat itself and its counters: one row, rewritten by each commit.
CREATE TABLE vat (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    vat_id          BLOB    NOT NULL CHECK (length(vat_id) = 32), -- public key; must fit DIR/key
    created_at      INTEGER NOT NULL,
    commits         INTEGER NOT NULL, -- number of the last commit
    next_reference  INTEGER NOT NULL,
    next_memory     INTEGER NOT NULL,
    next_code       INTEGER NOT NULL,
    next_message    INTEGER NOT NULL, -- numbers are never used again
    next_turn       INTEGER NOT NULL,
    next_fault      INTEGER NOT NULL,
    next_peer       INTEGER NOT NULL,
    next_outbox     INTEGER NOT NULL,
    objects         INTEGER NOT NULL, -- rows in object
    inbox           INTEGER NOT NULL, -- rows in message
    inbox_bytes     INTEGER NOT NULL, -- sum of message.bytes
    outbox          INTEGER NOT NULL, -- rows in outbox
    outbox_bytes    INTEGER NOT NULL, -- sum of outbox.bytes
    faults          INTEGER NOT NULL, -- rows in fault
    undeliverable   INTEGER NOT NULL, -- rows in fault that have no target
    strangers       INTEGER NOT NULL, -- peers that no operator named
    journal_first   INTEGER NOT NULL, -- the oldest turn still in the journal
    journal_bytes   INTEGER NOT NULL, -- sum of turn.bytes
    clock_ms        INTEGER NOT NULL, -- the latest time any turn was told; never goes back
    history         BLOB    NOT NULL CHECK (length(history) = 16) -- drawn anew when the database goes back: see vat.db.mark
) STRICT;

-- Every object this vat knows by a number: its own and other vats'. Written when an object is made
-- or first heard of. The number is what code's References and every other table hold.
CREATE TABLE reference (
    reference INTEGER PRIMARY KEY,
    vat       BLOB NOT NULL CHECK (length(vat) IN (0, 32)), -- empty: this vat
    id        BLOB NOT NULL CHECK (length(id) = 20),        -- the object id: authority, never logged
    UNIQUE (id, vat)
) STRICT;

-- Texts of code, each once. Written when the first object with it is made.
CREATE TABLE code (
    code   INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    text   TEXT NOT NULL
) STRICT;

-- The objects this vat hosts. A removed object's row goes; its reference stays, so that its id is
-- never anything else.
CREATE TABLE object (
    object     INTEGER PRIMARY KEY REFERENCES reference,
    account    INTEGER NOT NULL,          -- the object whose account pays: itself when installed
    maker      INTEGER,                   -- the object that made it; NULL when installed
    code       INTEGER NOT NULL REFERENCES code,
    statics    TEXT    NOT NULL,          -- static power: a QJSON object
    natives    TEXT    NOT NULL,          -- native powers: JSON, property -> native's name
    memory     INTEGER REFERENCES memory, -- NULL: it has none; several objects may share one
    held       INTEGER NOT NULL,          -- 1: it takes no turns, its queue is kept
    created_at INTEGER NOT NULL,
    budget     TEXT,                      -- JSON: the figures it has instead of the settings'; NULL: none
    held_why   TEXT,                      -- why the vat itself holds it; NULL when an operator does
    forgiven   INTEGER NOT NULL,          -- the last death when it was released: those up to it are not held against it
    born       INTEGER NOT NULL           -- the turn that made it; of an installed one, the next turn's number
) STRICT;
CREATE INDEX object_held ON object (object) WHERE held = 1;
CREATE INDEX object_by_memory ON object (memory) WHERE memory IS NOT NULL;

-- Accounts: one for each installed object and for each object that make_account made. A row stays when
-- its object is removed, as others of the account may live on. Totals count the account and every one below
-- it; a row is rewritten by the commit of what changed them.
CREATE TABLE account (
    account      INTEGER PRIMARY KEY, -- its first object
    above        INTEGER,             -- the account whose make_account made it; NULL when it was installed
    own          TEXT,                -- JSON: the figures it has instead of the settings'; NULL: none
    objects      INTEGER NOT NULL,    -- objects
    memory_bytes INTEGER NOT NULL,    -- sum of memory.bytes of the memories it had first
    queued_bytes INTEGER NOT NULL,    -- sum of message.bytes of those whose turns it pays for
    cpu_us       INTEGER NOT NULL,    -- CPU time of turns it has paid for
    left_us      INTEGER NOT NULL,    -- CPU time that was left to it, or owed,
    left_at      INTEGER NOT NULL,    -- when,
    most_us      INTEGER,             -- of so much at most (NULL: no limit),
    refill_us    INTEGER NOT NULL     -- of which so much comes back a second
) STRICT;
-- Those that may have to wait.
CREATE INDEX account_spent ON account (left_us) WHERE most_us IS NOT NULL AND left_us <= 0;

-- What an object used: rewritten by each of its turns, so kept out of the wide rows above and
-- never indexed.
CREATE TABLE object_use (
    object INTEGER PRIMARY KEY REFERENCES object,
    turns  INTEGER NOT NULL,
    faults INTEGER NOT NULL,
    cpu_us INTEGER NOT NULL,
    deaths INTEGER NOT NULL, -- worker processes that its code killed
    refused INTEGER NOT NULL -- messages for it that had no room, neither in a queue nor as a fault
) STRICT;

-- The code an object had before an upgrade; goes with the object.
CREATE TABLE object_code (
    object  INTEGER NOT NULL,
    version INTEGER NOT NULL, -- 1 is what it was made with
    code    INTEGER NOT NULL,
    until   INTEGER NOT NULL, -- the turn that replaced it
    PRIMARY KEY (object, version)
) STRICT, WITHOUT ROWID;

-- Memories.
CREATE TABLE memory (
    memory       INTEGER PRIMARY KEY,
    bytes        INTEGER NOT NULL, -- of all keys and values: beyond 16 KiB turns ask for it by key
    next_ordinal INTEGER NOT NULL,
    account      INTEGER NOT NULL  -- that had it first, and pays for it
) STRICT;

-- A Memory's top-level properties. Order by ordinal is JavaScript's key order: an integer-like key
-- is its own ordinal, others count on from 2^32.
CREATE TABLE memory_entry (
    memory  INTEGER NOT NULL,
    key     TEXT    NOT NULL,
    ordinal INTEGER NOT NULL,
    value   TEXT    NOT NULL,
    PRIMARY KEY (memory, key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX memory_entry_by_ordinal ON memory_entry (memory, ordinal);

-- Which memory key holds which reference; kept with memory_entry in one transaction.
CREATE TABLE memory_edge (
    reference INTEGER NOT NULL,
    memory    INTEGER NOT NULL,
    key       TEXT    NOT NULL,
    PRIMARY KEY (reference, memory, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX memory_edge_by_key ON memory_edge (memory, key);

-- Which static power holds which reference, by its top-level key; kept with object.
CREATE TABLE power_edge (
    reference INTEGER NOT NULL,
    object    INTEGER NOT NULL,
    key       TEXT    NOT NULL,
    PRIMARY KEY (reference, object, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX power_edge_by_object ON power_edge (object, key);

-- The operator's names.
CREATE TABLE petname (
    name      TEXT    PRIMARY KEY,
    reference INTEGER NOT NULL UNIQUE REFERENCES reference
) STRICT, WITHOUT ROWID;

-- The inbox: messages durable and not yet handled. A row goes in the commit of its turn.
CREATE TABLE message (
    message   INTEGER PRIMARY KEY,
    source    INTEGER NOT NULL, -- 0: the operator; above: the account; below: the peer
    target    INTEGER NOT NULL,
    args      TEXT    NOT NULL,
    bytes     INTEGER NOT NULL, -- size of args, a reference counted as 128
    queued_at INTEGER NOT NULL,
    cause     INTEGER,          -- the turn that sent it
    deaths    INTEGER NOT NULL, -- how often a worker died on it
    seq       INTEGER,          -- of a message from a peer: its number on the channel
    abroad    TEXT,             -- what the peer calls the turn that sent it: for display, believed by nobody
    chain     INTEGER NOT NULL  -- how many messages of this vat led to it, each sent by the turn of the one before
) STRICT;
-- A queue's messages in order; with their bytes, so that the queues can be counted by it alone.
CREATE INDEX message_by_queue ON message (source, target, message, bytes);

-- The journal: one row a turn, written in the turn's transaction, pruned oldest first. What an
-- operator did to an object by hand stands in the same sequence, as a row with an edit.
CREATE TABLE turn (
    turn         INTEGER PRIMARY KEY,
    message      INTEGER,          -- NULL for an edit
    edit         TEXT,             -- the verb; args say what
    source       INTEGER NOT NULL,
    object       INTEGER NOT NULL,
    code         INTEGER NOT NULL,
    args         TEXT    NOT NULL,
    cause        INTEGER,          -- the turn that sent the message
    outcome      TEXT    NOT NULL CHECK (outcome IN ('ok', 'error', 'killed')),
    result       TEXT,             -- NULL: null
    result_error TEXT,
    error        TEXT,             -- JSON of a CodeError
    called       TEXT,             -- JSON: [[object, code], ...] run by `call`
    made         TEXT,             -- JSON: [object, ...]
    sent         TEXT,             -- JSON: [message, ...]
    log          TEXT,             -- JSON: [line, ...]
    ticks        INTEGER NOT NULL,
    cpu_us       INTEGER NOT NULL,
    clock_ms     INTEGER NOT NULL, -- what power.clock() answered, or would have
    seq          INTEGER,          -- as in message
    abroad       TEXT,             -- as in message
    posted       TEXT,             -- JSON: [[peer, seq], ...], the messages it sent to other vats
    seed         BLOB,             -- what power.random drew from; NULL when it was not asked
    bytes        INTEGER NOT NULL, -- of this row's texts and those of its changes
    -- What else it takes to run the turn again and compare:
    refused      TEXT,             -- JSON: [[object, why], ...], what `call` was not given
    by_key       TEXT,             -- JSON: [memory, ...], those of which it was given only what it asked for
    digest       BLOB,             -- of the messages it sent and the objects it made; NULL when there are none
    undone       INTEGER NOT NULL  -- 1: its code ended well, and had passed a limit that only the kernel knows of
) STRICT;
CREATE INDEX turn_by_object ON turn (object, turn);
-- Of those from other vats: which of their messages it was.
CREATE INDEX turn_by_seq ON turn (source, seq) WHERE seq IS NOT NULL;
CREATE INDEX turn_by_message ON turn (message) WHERE message IS NOT NULL;

-- The memory keys a turn changed, with the value before it: the next change or the present holds
-- the new one. old is NULL where the key was not there.
CREATE TABLE turn_change (
    turn        INTEGER NOT NULL,
    memory      INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    old         TEXT,
    old_ordinal INTEGER,
    PRIMARY KEY (turn, memory, key)
) STRICT, WITHOUT ROWID;

-- What one turn may use, by the settings: of each turn from that number on. A row for each change of them.
CREATE TABLE turn_limits (
    turn   INTEGER PRIMARY KEY,
    limits TEXT NOT NULL -- JSON of a Budget
) STRICT;

-- Messages whose turn failed; kept until the operator retries or drops them.
CREATE TABLE fault (
    fault     INTEGER PRIMARY KEY,
    message   INTEGER NOT NULL,
    turn      INTEGER,
    source    INTEGER NOT NULL,
    target    INTEGER,          -- NULL: a message from a peer that could not be given to any object
    args      TEXT,             -- NULL: then only head is kept
    head      BLOB,             -- the first bytes of such a message
    bytes     INTEGER NOT NULL,
    cause     INTEGER,
    seq       INTEGER,          -- as in message
    abroad    TEXT,             -- as in message
    outcome   TEXT    NOT NULL CHECK (outcome IN ('error', 'killed')),
    error     TEXT    NOT NULL, -- JSON of a CodeError
    ticks     INTEGER NOT NULL,
    used      TEXT    NOT NULL, -- JSON of a Used: what was rolled back
    at        INTEGER NOT NULL
) STRICT;
-- The faults of a queue; those with turn NULL never ran.
CREATE INDEX fault_by_queue ON fault (source, target, turn);

-- Other vats: those an operator named, those that sent something, and those that references are to.
-- A row stays. Positions on a channel are a number and the tip there (see the module `peer`).
CREATE TABLE peer (
    peer            INTEGER PRIMARY KEY,
    vat             BLOB    NOT NULL UNIQUE CHECK (length(vat) = 32),
    name            TEXT    UNIQUE,   -- the operator's name; no object has it
    named           INTEGER NOT NULL, -- 1: an operator told of it
    held            INTEGER NOT NULL, -- 1: it gets no deliveries, its queue is kept
    last_out        INTEGER NOT NULL, -- the last of our messages to it that was numbered
    last_out_tip    BLOB    NOT NULL,
    acked_out       INTEGER NOT NULL, -- the last of them that it acknowledged
    acked_out_tip   BLOB    NOT NULL,
    last_in         INTEGER NOT NULL, -- the last of its messages that we accepted
    last_in_tip     BLOB    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('ok', 'unsure', 'diverged', 'peer-rolled-back')),
    theirs          INTEGER,          -- when stopped: where it said it stands,
    theirs_tip      BLOB,
    noticed_at      INTEGER,          -- last_out when it said so first,
    stopped_at      INTEGER,          -- and when
    pending_bytes   INTEGER NOT NULL, -- sum of its outbox.bytes
    failures        INTEGER NOT NULL, -- failed attempts in a row
    tries           INTEGER NOT NULL, -- attempts that have ended
    tried_at        INTEGER,          -- when the last of them did
    due_at          INTEGER,          -- when the next is due; NULL: none is
    last_error      TEXT,             -- why the last failed
    failing_since   INTEGER,
    last_contact_at INTEGER           -- when it last proved to be there
) STRICT;
-- What is due, apart for those that work and those that fail, so that neither waits for the other.
CREATE INDEX peer_due ON peer (due_at) WHERE due_at IS NOT NULL AND failures = 0 AND acked_out > 0;
CREATE INDEX peer_due_first ON peer (due_at) WHERE due_at IS NOT NULL AND failures = 0 AND acked_out = 0;
CREATE INDEX peer_due_again ON peer (due_at) WHERE due_at IS NOT NULL AND failures > 0;

-- Where peers answer. Of one origin, in the order of rank; the one that worked last has rank 0.
CREATE TABLE peer_url (
    peer   INTEGER NOT NULL,
    url    TEXT    NOT NULL,
    origin INTEGER NOT NULL CHECK (origin IN (0, 1, 2)), -- 0: the operator; 1: the peer itself; 2: a hint of others
    rank   INTEGER NOT NULL,
    PRIMARY KEY (peer, url)
) STRICT, WITHOUT ROWID;

-- Which objects of this vat another one was told of in a message, or has sent one to: it may hold references to
-- them, and does so for ever, as nobody can make it forget. A row goes with its object.
CREATE TABLE export (
    reference INTEGER NOT NULL,
    peer      INTEGER NOT NULL,
    PRIMARY KEY (reference, peer)
) STRICT, WITHOUT ROWID;

-- The outbox: messages to other vats that are not acknowledged. Everything that is sealed is drawn once
-- and stored here, so that each attempt sends the same bytes.
CREATE TABLE outbox (
    outbox    INTEGER PRIMARY KEY,
    peer      INTEGER NOT NULL,
    seq       INTEGER NOT NULL, -- its number on the channel
    id        BLOB    NOT NULL CHECK (length(id) = 16),
    prev      BLOB    NOT NULL CHECK (length(prev) = 32),
    random    BLOB    NOT NULL CHECK (length(random) = 14), -- of its nonce
    text      TEXT    NOT NULL, -- its JSON
    bytes     INTEGER NOT NULL, -- of that
    target    INTEGER,          -- a reference; NULL of a void
    void      TEXT,             -- why an operator dropped it
    queued_at INTEGER NOT NULL,
    turn      INTEGER,          -- the turn that sent it; NULL: the operator did
    UNIQUE (peer, seq)
) STRICT;

-- Worker processes that an object's code killed: it crashed the engine, or ran past a deadline.
-- Written as the kernel hears of it; the newest 1,000 rows stay. An account with a row that has a
-- turn is an offender for a while and has a worker of its own.
CREATE TABLE death (
    death   INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    object  INTEGER NOT NULL, -- whose code was innermost
    account INTEGER NOT NULL, -- its account
    message INTEGER NOT NULL, -- whose turn it was
    turn    INTEGER,          -- the turn that was killed; NULL when the message runs once more
    how     TEXT    NOT NULL
) STRICT;

-- How the operator's own messages ended, for those who wait for one; apart from the journal.
-- A row goes when keep_until has passed, an unkeyed one also when 100,000 newer ones are there.
CREATE TABLE outcome (
    message      INTEGER PRIMARY KEY,
    turn         INTEGER,
    outcome      TEXT    NOT NULL CHECK (outcome IN ('ok', 'error', 'killed')),
    result       TEXT,
    result_error TEXT,
    error        TEXT,
    keyed        INTEGER NOT NULL,
    keep_until   INTEGER NOT NULL
) STRICT;
CREATE INDEX outcome_by_age ON outcome (keep_until);

-- Which message a key stands for; a row goes after 24 hours.
CREATE TABLE send_key (
    key       TEXT    NOT NULL,
    target    INTEGER NOT NULL,
    message   INTEGER UNIQUE, -- of the inbox; NULL of one to another vat,
    peer      INTEGER,        -- which this names
    seq       INTEGER,
    queued_at INTEGER NOT NULL,
    PRIMARY KEY (key, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX send_key_by_age ON send_key (queued_at);

-- Every change an operator made, in the order of turns.
CREATE TABLE audit (
    audit  INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    uid    INTEGER NOT NULL, -- who was at the other end of the control socket
    pid    INTEGER NOT NULL,
    action TEXT    NOT NULL, -- the verb
    detail TEXT    NOT NULL  -- JSON: what it was done to
) STRICT;
