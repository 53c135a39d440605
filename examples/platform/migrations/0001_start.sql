-- The same schema for SQLite and PostgreSQL; SERIAL_KEY is the one type that differs (see db.rs).
-- People and faces are not here: they are the gallery's, which is the one truth about them.

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,     -- SHA-256 of the key
    scopes TEXT NOT NULL,          -- separated by spaces
    created_ms BIGINT NOT NULL
);

-- One unit of work. A photo and a session are each described by a table of their own with the same id.
CREATE TABLE job (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,            -- enrol, query
    state TEXT NOT NULL,           -- queued, running; final: done, accepted, rejected, failed, cancelled
    attempt BIGINT NOT NULL,       -- how often a worker has begun; results of earlier attempts count nothing
    faults BIGINT NOT NULL,        -- attempts that ended by the job's own fault: its worker died, or could not do it
    lease_until_ms BIGINT,         -- of a running job; none when its worker is done and its report waits to be written
    not_before_ms BIGINT NOT NULL,
    worker TEXT,
    error TEXT,
    created_ms BIGINT NOT NULL,
    finished_ms BIGINT
);
CREATE INDEX job_waiting ON job (kind, state, created_ms);

CREATE TABLE photo (
    id TEXT PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    person TEXT NOT NULL,
    file_name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    media_type TEXT NOT NULL,
    file TEXT,                     -- where its bytes lie; none once it was refused
    reason TEXT,
    person_id TEXT,
    face_id TEXT,
    created_ms BIGINT NOT NULL
);
CREATE INDEX photo_person ON photo (person_id);
CREATE INDEX photo_name ON photo (person);

CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,           -- the key that made it
    file_name TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    taken BIGINT NOT NULL,         -- 1 once it was complete and a session was asked for: the file may be the session's already
    created_ms BIGINT NOT NULL
);

CREATE TABLE session (
    id TEXT PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    upload TEXT NOT NULL,
    file_name TEXT NOT NULL,
    progress DOUBLE PRECISION NOT NULL,
    frames BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX session_newest ON session (created_ms, id);
CREATE INDEX session_upload ON session (upload);

CREATE TABLE track (
    session TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    track BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,       -- in the order of arrival, from 1
    person_id TEXT,
    person TEXT,
    forgotten BIGINT NOT NULL,     -- 1: the person was forgotten, and nothing is left that tells who it was
    document TEXT NOT NULL,        -- the rest of the track as JSON, with the vectors of its shots
    PRIMARY KEY (session, attempt, track)
);

-- Whom a track names, as its person or as somebody who was considered.
CREATE TABLE mention (
    person_id TEXT NOT NULL,
    session TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    track BIGINT NOT NULL,
    PRIMARY KEY (person_id, session, attempt, track),
    FOREIGN KEY (session, attempt, track) REFERENCES track (session, attempt, track) ON DELETE CASCADE
);
CREATE INDEX mention_track ON mention (session, attempt, track);

-- What workers report and the forwarder has not written yet.
CREATE TABLE result (
    seq SERIAL_KEY,
    message TEXT NOT NULL
);

-- Reports that could not be read or written, kept for whoever repairs. Their jobs were tried again.
CREATE TABLE set_aside (
    id TEXT PRIMARY KEY,
    job TEXT,
    message TEXT NOT NULL,
    error TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);

-- People who were forgotten: results that were on their way must not name them again. Ids are never used twice.
CREATE TABLE forgotten (
    person_id TEXT PRIMARY KEY,
    done BIGINT NOT NULL           -- 0: something of them may still be there
);

-- Who people are now that were renamed or merged with another: results that are on their way name them as they were.
CREATE TABLE known_as (
    person_id TEXT PRIMARY KEY,
    now_id TEXT NOT NULL,
    name TEXT NOT NULL
);
CREATE INDEX known_as_now ON known_as (now_id);

-- Files that are to go, with all below them. Written with what makes them nobody's, and removed from here when they are gone.
CREATE TABLE litter (
    key TEXT PRIMARY KEY,
    due_ms BIGINT NOT NULL
);

-- What a repeated request with the same `Idempotency-Key` is answered again. No names of people.
CREATE TABLE answer (
    id TEXT PRIMARY KEY,
    request TEXT NOT NULL,         -- SHA-256 of what was asked
    answer TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- What was changed, by whom. No biometric data, no names of people.
CREATE TABLE event (
    seq SERIAL_KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL
);

CREATE TABLE webhook (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    events TEXT NOT NULL,          -- separated by spaces
    created_ms BIGINT NOT NULL
);

CREATE TABLE delivery (
    id TEXT PRIMARY KEY,
    webhook TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,           -- pending, delivered, dead
    attempts BIGINT NOT NULL,
    next_ms BIGINT NOT NULL,
    answer TEXT,
    created_ms BIGINT NOT NULL
);
CREATE INDEX delivery_due ON delivery (state, next_ms);
