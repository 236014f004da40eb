-- An attempt is written once, when it is closed; until then its intent speaks for it.

-- Whom the next calls are for, committed before any of them begins: the deliveries that name an attempt of these ids.
CREATE TABLE intent (
    broadcast_id BIGINT NOT NULL,
    first_id BIGINT NOT NULL,
    last_id BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    no INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    part SMALLINT NOT NULL,
    account TEXT NOT NULL,
    PRIMARY KEY (broadcast_id, no, first_id)
) {clustered};
INSERT INTO intent (broadcast_id, first_id, last_id, started_at, no, fence, part, account)
SELECT broadcast_id, min(id), max(id), started_at, no, fence, part, account FROM attempt
GROUP BY broadcast_id, no, started_at, fence, part, account;

-- What one hand-over of one request came to. Wide columns first, narrow numbers: where one request is one recipient,
-- PostgreSQL's padding would be felt.
ALTER TABLE attempt RENAME TO attempt_before;
CREATE TABLE attempt (
    broadcast_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    no INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    size SMALLINT NOT NULL,
    accepted SMALLINT NOT NULL DEFAULT 0,
    part SMALLINT NOT NULL DEFAULT 1,
    account TEXT NOT NULL,
    outcome TEXT NOT NULL,
    provider_message_id TEXT,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (broadcast_id, no, id)
) {clustered};
-- What is open now is lost, unless somebody still says what became of it.
INSERT INTO attempt (broadcast_id, id, started_at, finished_at, no, first_seq, last_seq, size, accepted, part, account,
 outcome, provider_message_id, reason)
SELECT broadcast_id, id, started_at, coalesce(finished_at, started_at), no, first_seq, last_seq, size, accepted, part,
 account, coalesce(outcome, 'lost'), provider_message_id, reason FROM attempt_before;
DROP TABLE attempt_before;
