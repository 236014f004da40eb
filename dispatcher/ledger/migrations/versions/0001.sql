-- The ledger, first version. Words in braces are filled per database by migrate.py.
-- Instants are milliseconds since 1970 UTC. JSON is kept as text, in canonical form where it is hashed.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE person (
    id {id},
    name TEXT NOT NULL,
    email TEXT,
    phone TEXT,
    roles TEXT NOT NULL,
    level TEXT NOT NULL,
    zone TEXT,
    token_hash TEXT UNIQUE,
    created_at BIGINT NOT NULL,
    removed_at BIGINT
);
CREATE UNIQUE INDEX person_name ON person (name) WHERE removed_at IS NULL;

CREATE TABLE audience (
    id {id},
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT
);
CREATE UNIQUE INDEX audience_name ON audience (name) WHERE removed_at IS NULL;

CREATE TABLE audience_version (
    id {id},
    audience_id BIGINT NOT NULL REFERENCES audience (id),
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    fields TEXT NOT NULL,
    source TEXT NOT NULL,
    region TEXT NOT NULL,
    imported_by BIGINT REFERENCES person (id),
    created_at BIGINT NOT NULL,
    UNIQUE (audience_id, number)
);

-- One person of one immutable version; fields is canonical JSON of the slot values.
CREATE TABLE recipient (
    version_id BIGINT NOT NULL,
    rid INTEGER NOT NULL,
    email TEXT,
    phone TEXT,
    locale TEXT,
    fields TEXT NOT NULL,
    PRIMARY KEY (version_id, rid)
) {clustered};

CREATE TABLE suppression (
    id {id},
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    source TEXT NOT NULL,
    created_by BIGINT,
    created_at BIGINT NOT NULL,
    removed_at BIGINT,
    removed_by BIGINT,
    removed_reason TEXT
);
CREATE UNIQUE INDEX suppression_active ON suppression (channel, address, scope) WHERE removed_at IS NULL;
CREATE INDEX suppression_lifted ON suppression (channel, address) WHERE removed_at IS NOT NULL;

CREATE TABLE incident (
    id {id},
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    phase TEXT NOT NULL,
    visibility TEXT NOT NULL,
    mode TEXT NOT NULL,
    data TEXT NOT NULL DEFAULT '{{}}',
    opened_by BIGINT,
    opened_at BIGINT NOT NULL,
    next_update_at BIGINT,
    first_word_at BIGINT,
    first_word_by BIGINT,
    closed_at BIGINT
);

-- One running clock per incident and circle of readers (or duty to a regulator), with every promise that was before it.
CREATE TABLE promise (
    id {id},
    incident_id BIGINT NOT NULL REFERENCES incident (id),
    clock TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    made_by BIGINT,
    due_at BIGINT NOT NULL,
    every_ms BIGINT,
    told_by BIGINT,
    holder_id BIGINT,
    acked_at BIGINT,
    missed_at BIGINT,
    settled_at BIGINT,
    settled_by BIGINT
);
CREATE UNIQUE INDEX promise_open ON promise (incident_id, clock) WHERE settled_at IS NULL;
CREATE INDEX promise_due ON promise (due_at) WHERE settled_at IS NULL AND missed_at IS NULL;

-- One occurrence of a nudge, once for all: its place in the order of steps, when, and whom it reached.
CREATE TABLE reminder (
    id {id},
    promise_id BIGINT NOT NULL REFERENCES promise (id),
    step TEXT NOT NULL,
    rank INTEGER NOT NULL,
    planned_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    told_at BIGINT,
    person_id BIGINT,
    broadcast_id BIGINT,
    acked_at BIGINT,
    acked_by BIGINT,
    dropped_at BIGINT,
    UNIQUE (promise_id, step)
);
CREATE INDEX reminder_due ON reminder (due_at) WHERE told_at IS NULL AND dropped_at IS NULL;

-- Who is reminded, in this order.
CREATE TABLE rota (
    place INTEGER PRIMARY KEY,
    person_id BIGINT NOT NULL REFERENCES person (id)
);

CREATE TABLE fact (
    id {id},
    incident_id BIGINT NOT NULL REFERENCES incident (id),
    name TEXT NOT NULL,
    locale TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    state TEXT NOT NULL,
    source TEXT NOT NULL,
    as_of BIGINT,
    set_by BIGINT,
    set_at BIGINT NOT NULL,
    replaced_at BIGINT
);
CREATE UNIQUE INDEX fact_current ON fact (incident_id, name, locale) WHERE replaced_at IS NULL;

-- Who did what by which door: the timeline of incidents and broadcasts.
CREATE TABLE act (
    id {id},
    at BIGINT NOT NULL,
    person_id BIGINT,
    door TEXT NOT NULL,
    verb TEXT NOT NULL,
    incident_id BIGINT,
    broadcast_id BIGINT,
    channel TEXT,
    detail TEXT NOT NULL DEFAULT ''
);
CREATE INDEX act_broadcast ON act (broadcast_id);
CREATE INDEX act_incident ON act (incident_id);

CREATE TABLE broadcast (
    id {id},
    incident_id BIGINT REFERENCES incident (id),
    template_id TEXT NOT NULL,
    title TEXT NOT NULL,
    purpose TEXT NOT NULL,
    severity TEXT NOT NULL,
    mode TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    audience_version_id BIGINT,
    facts TEXT NOT NULL,
    plan TEXT NOT NULL,
    code TEXT NOT NULL UNIQUE,
    nonce TEXT NOT NULL,
    digest TEXT,
    audience_size INTEGER,
    author_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    submitted_at BIGINT,
    approved_at BIGINT,
    release_at BIGINT,
    expires_at BIGINT,
    closed_at BIGINT,
    origin_id BIGINT,
    relation TEXT,
    request_key TEXT UNIQUE,
    signatory TEXT,
    preapproval_id BIGINT,
    next_update_at BIGINT,
    worded_at BIGINT,
    profile TEXT,
    source TEXT
);
CREATE INDEX broadcast_unworded ON broadcast (release_at) WHERE worded_at IS NULL AND incident_id IS NOT NULL;

CREATE TABLE edit (
    broadcast_id BIGINT NOT NULL REFERENCES broadcast (id),
    version INTEGER NOT NULL,
    person_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, version, person_id)
);

CREATE TABLE rendition (
    id {id},
    broadcast_id BIGINT NOT NULL REFERENCES broadcast (id),
    channel TEXT NOT NULL,
    locale TEXT NOT NULL,
    variant TEXT NOT NULL,
    parts TEXT NOT NULL,
    slots TEXT NOT NULL,
    picture TEXT,
    sha256 TEXT NOT NULL,
    UNIQUE (broadcast_id, channel, locale, variant)
);

-- Texts without deliveries, frozen with the renditions.
CREATE TABLE document (
    broadcast_id BIGINT NOT NULL REFERENCES broadcast (id),
    name TEXT NOT NULL,
    locale TEXT NOT NULL,
    variant TEXT NOT NULL,
    format TEXT NOT NULL,
    text TEXT NOT NULL,
    slots TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (broadcast_id, name, locale, variant)
);

CREATE TABLE approval (
    id {id},
    broadcast_id BIGINT NOT NULL REFERENCES broadcast (id),
    digest TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    level TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    for_id BIGINT
);
CREATE UNIQUE INDEX approval_once ON approval (broadcast_id, digest, person_id) WHERE decision = 'approve';

-- What approvers are asked about: the mark of the text, what the check found, and until when somebody must answer.
CREATE TABLE submission (
    broadcast_id BIGINT PRIMARY KEY REFERENCES broadcast (id),
    digest TEXT NOT NULL,
    basis TEXT NOT NULL,
    findings TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    passed_on_at BIGINT
);

-- A warning that a person let pass, with the reason; `basis` is the mark of the text it was said about.
CREATE TABLE overruling (
    id {id},
    broadcast_id BIGINT NOT NULL REFERENCES broadcast (id),
    rule TEXT NOT NULL,
    basis TEXT NOT NULL,
    what TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX overruling_broadcast ON overruling (broadcast_id);

-- Who stands in for whom: once a request was left unanswered, or at once while the person is away.
CREATE TABLE deputy (
    person_id BIGINT NOT NULL REFERENCES person (id),
    deputy_id BIGINT NOT NULL REFERENCES person (id),
    away_until BIGINT,
    PRIMARY KEY (person_id, deputy_id)
);

-- What was done outside the rule and must be looked at afterwards.
CREATE TABLE review (
    id {id},
    broadcast_id BIGINT NOT NULL REFERENCES broadcast (id),
    digest TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    detail TEXT NOT NULL,
    closed_at BIGINT,
    closed_by BIGINT,
    verdict TEXT NOT NULL DEFAULT '',
    UNIQUE (broadcast_id, digest)
);

-- A yes given in peace: to a template's bytes, facts in ranges, an audience of a size, channels, until a day.
CREATE TABLE preapproval (
    id {id},
    name TEXT NOT NULL,
    template_id TEXT NOT NULL,
    terms TEXT NOT NULL,
    digest TEXT NOT NULL,
    created_by BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    revoked_at BIGINT,
    revoked_by BIGINT,
    revoked_reason TEXT
);
CREATE UNIQUE INDEX preapproval_name ON preapproval (name) WHERE revoked_at IS NULL;

CREATE TABLE preapproval_yes (
    preapproval_id BIGINT NOT NULL REFERENCES preapproval (id),
    person_id BIGINT NOT NULL,
    level TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (preapproval_id, person_id)
);

-- A promotional broadcast that waits, or was let go, because of an open incident.
CREATE TABLE marketing_pause (
    broadcast_id BIGINT NOT NULL REFERENCES broadcast (id),
    incident_id BIGINT NOT NULL REFERENCES incident (id),
    at BIGINT NOT NULL,
    let_go_at BIGINT,
    let_go_by BIGINT,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (broadcast_id, incident_id)
);

-- The control row: release, pause, stop and expiry change this and no delivery.
CREATE TABLE control (
    broadcast_id BIGINT NOT NULL REFERENCES broadcast (id),
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    rank INTEGER NOT NULL,
    policy TEXT NOT NULL,
    request_size INTEGER NOT NULL,
    scope TEXT NOT NULL,
    release_at BIGINT,
    started_at BIGINT,
    expires_at BIGINT,
    superseded_by BIGINT,
    fallback_for TEXT,
    fallback_after BIGINT,
    reason TEXT NOT NULL DEFAULT '',
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, channel)
);
CREATE INDEX control_state ON control (channel, state);

CREATE TABLE channel_gate (
    channel TEXT PRIMARY KEY,
    frozen_at BIGINT,
    reason TEXT NOT NULL DEFAULT ''
);

CREATE TABLE account (
    name TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    failures INTEGER NOT NULL DEFAULT 0,
    opened_at BIGINT,
    probe_at BIGINT,
    weight INTEGER NOT NULL DEFAULT 100,
    changed_at BIGINT NOT NULL
);

-- What an account was asked to carry on a day (days since 1970, UTC); money in millionths.
CREATE TABLE usage (
    account TEXT NOT NULL,
    day INTEGER NOT NULL,
    recipients BIGINT NOT NULL,
    micro BIGINT NOT NULL,
    PRIMARY KEY (account, day)
);

-- Up to 1,000 deliveries of one broadcast, channel and rendition; its counters move in the transaction of its rows.
CREATE TABLE batch (
    broadcast_id BIGINT NOT NULL,
    no INTEGER NOT NULL,
    channel TEXT NOT NULL,
    rendition_id BIGINT NOT NULL,
    account TEXT,
    size INTEGER NOT NULL,
    hash TEXT NOT NULL,
    owner TEXT,
    fence INTEGER NOT NULL DEFAULT 0,
    lease_until BIGINT,
    due_at BIGINT NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    suspect INTEGER,
    fragile INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0,
    suppressed INTEGER NOT NULL DEFAULT 0,
    fallback INTEGER NOT NULL DEFAULT 0,
    sending INTEGER NOT NULL DEFAULT 0,
    unknown INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (broadcast_id, no)
) {hot};
CREATE INDEX batch_open ON batch (broadcast_id, channel, no) WHERE waiting > 0;
CREATE INDEX batch_claimed ON batch (lease_until) WHERE owner IS NOT NULL;

-- One broadcast x one recipient x one channel. no = seq / 1000. tries counts intents.
CREATE TABLE delivery (
    broadcast_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    rid INTEGER NOT NULL,
    state SMALLINT NOT NULL,
    tries SMALLINT NOT NULL DEFAULT 0,
    attempt_id BIGINT,
    reason TEXT,
    PRIMARY KEY (broadcast_id, seq)
) {clustered} {hot};

-- What is known of each copy of a delivery that was handed over again although an earlier one may have been taken.
-- number is the delivery's tries at that hand-over.
CREATE TABLE copy (
    broadcast_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    number SMALLINT NOT NULL,
    state SMALLINT NOT NULL,
    reason TEXT,
    PRIMARY KEY (broadcast_id, seq, number)
) {clustered};

-- One hand-over of one request: written before the call, closed after it. Wide columns first, and no empty reason:
-- where one request is one recipient, PostgreSQL's padding would be felt.
CREATE TABLE attempt (
    broadcast_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    no INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    size INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    accepted INTEGER NOT NULL DEFAULT 0,
    part SMALLINT NOT NULL DEFAULT 1,
    account TEXT NOT NULL,
    outcome TEXT,
    provider_message_id TEXT,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (broadcast_id, no, id)
) {clustered} {closed};

-- Attempt ids: a counter on SQLite, a sequence on PostgreSQL (where one row would queue all workers).
{attempt_serial};

-- Signed posts exactly as they came, stored before they are answered.
CREATE TABLE inbox (
    id {id},
    account TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    taken_until BIGINT NOT NULL,
    state SMALLINT NOT NULL DEFAULT 0,
    tries SMALLINT NOT NULL DEFAULT 0,
    url TEXT NOT NULL,
    headers TEXT NOT NULL,
    error TEXT,
    body {blob} NOT NULL
);
CREATE INDEX inbox_new ON inbox (id) WHERE state = 0;
CREATE INDEX inbox_parked ON inbox (id) WHERE state = 2;

-- Every event once, by a hash of account and the vendor's id.
CREATE TABLE event (
    hash {blob} PRIMARY KEY,
    account TEXT NOT NULL,
    broadcast_id BIGINT,
    seq INTEGER,
    type TEXT NOT NULL,
    occurred_at BIGINT,
    received_at BIGINT NOT NULL,
    reason TEXT
) {clustered};

-- What did not fit and must be seen: an event for nobody we know, for a suppressed delivery, a poison post.
CREATE TABLE anomaly (
    id {id},
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    account TEXT,
    broadcast_id BIGINT,
    seq INTEGER,
    detail TEXT NOT NULL,
    settled_at BIGINT
);
CREATE INDEX anomaly_open ON anomaly (broadcast_id) WHERE settled_at IS NULL;

-- What proves the posts of an incident tool, two at most per source. A key is sealed; of a token only the hash is kept.
CREATE TABLE signal_secret (
    id {id},
    tool TEXT NOT NULL,
    source TEXT NOT NULL,
    form TEXT NOT NULL,
    value TEXT NOT NULL,
    created_by BIGINT,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

-- Posts of incident tools as they came, stored before they are answered; redacted once applied, emptied later.
CREATE TABLE signal_post (
    id {id},
    hash {blob} NOT NULL UNIQUE,
    tool TEXT NOT NULL,
    source TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    headers TEXT NOT NULL,
    body {blob},
    size INTEGER NOT NULL,
    repeats INTEGER NOT NULL DEFAULT 0,
    state SMALLINT NOT NULL DEFAULT 0,
    tries SMALLINT NOT NULL DEFAULT 0,
    lease_until BIGINT NOT NULL DEFAULT 0,
    error TEXT
);
CREATE INDEX signal_post_new ON signal_post (tool, source, id) WHERE state = 0;
CREATE INDEX signal_post_source ON signal_post (tool, source, id);

-- What a source calls an incident, how it stands there, and which of ours it is.
CREATE TABLE signal_subject (
    id {id},
    tool TEXT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    state TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    episode INTEGER NOT NULL DEFAULT 1,
    words TEXT NOT NULL DEFAULT '',
    incident_id BIGINT REFERENCES incident (id),
    playbook TEXT,
    join_key TEXT,
    UNIQUE (tool, source, external_id)
);
CREATE INDEX signal_subject_incident ON signal_subject (incident_id);
CREATE INDEX signal_subject_join ON signal_subject (playbook, join_key);

-- Every signal once, with what became of it. `done` is set when all its consequences are.
CREATE TABLE signal (
    id {id},
    hash {blob} NOT NULL UNIQUE,
    post_id BIGINT NOT NULL,
    tool TEXT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    told TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    incident_id BIGINT,
    done SMALLINT NOT NULL DEFAULT 0
);
CREATE INDEX signal_of_post ON signal (post_id);
CREATE INDEX signal_outcome ON signal (tool, source, outcome, received_at);

-- What the organisation's own systems are told: one row per destination and act, kept until it is answered or given up.
CREATE TABLE outward (
    id {id},
    destination TEXT NOT NULL,
    act_id BIGINT NOT NULL,
    type TEXT NOT NULL,
    mode TEXT NOT NULL,
    body TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    state SMALLINT NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL DEFAULT 0,
    answered_at BIGINT,
    why TEXT NOT NULL DEFAULT '',
    UNIQUE (destination, act_id)
);
CREATE INDEX outward_due ON outward (due_at) WHERE state = 0;

-- Goodwill codes. What one is worth and what all may cost, in millionths. Counters move with their rows.
CREATE TABLE code_pool (
    id {id},
    name TEXT NOT NULL UNIQUE,
    worth BIGINT NOT NULL,
    budget BIGINT,
    size INTEGER NOT NULL DEFAULT 0,
    bound INTEGER NOT NULL DEFAULT 0,
    longest INTEGER NOT NULL DEFAULT 0,
    closed TEXT NOT NULL DEFAULT '',
    created_by BIGINT,
    created_at BIGINT NOT NULL
);

-- A code is a secret: money to whoever reads it. One that came back from a binding is issued after all others.
CREATE TABLE code (
    pool_id BIGINT NOT NULL REFERENCES code_pool (id),
    no INTEGER NOT NULL,
    words TEXT NOT NULL,
    returned_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (pool_id, no)
) {clustered};
CREATE UNIQUE INDEX code_once ON code (upper(words));

-- Whose code it is: one a person and broadcast, written when the plan is made. Never changed but to be released.
CREATE TABLE code_binding (
    broadcast_id BIGINT NOT NULL,
    rid INTEGER NOT NULL,
    pool_id BIGINT NOT NULL,
    no INTEGER NOT NULL,
    released_at BIGINT,
    PRIMARY KEY (broadcast_id, rid)
) {clustered};
CREATE UNIQUE INDEX code_bound_once ON code_binding (pool_id, no) WHERE released_at IS NULL;

-- How many codes a broadcast holds; swept once none of them can come back any more.
CREATE TABLE code_grant (
    broadcast_id BIGINT PRIMARY KEY,
    pool_id BIGINT NOT NULL,
    bound INTEGER NOT NULL,
    released INTEGER NOT NULL DEFAULT 0,
    swept SMALLINT NOT NULL DEFAULT 0
);

-- Broadcasts approved as one and released one after another. A wave without a broadcast is a person's own work.
CREATE TABLE wave (
    lead_id BIGINT NOT NULL REFERENCES broadcast (id),
    no INTEGER NOT NULL,
    name TEXT NOT NULL,
    broadcast_id BIGINT UNIQUE REFERENCES broadcast (id),
    state TEXT NOT NULL,
    opened_at BIGINT,
    out_at BIGINT,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (lead_id, no)
);
CREATE INDEX wave_under_way ON wave (lead_id) WHERE state IN ('waiting', 'open');
