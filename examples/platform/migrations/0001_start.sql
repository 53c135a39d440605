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
    document TEXT NOT NULL,        -- the rest of the track as JSON, with the vectors of its shots
    PRIMARY KEY (session, attempt, track)
);
CREATE INDEX track_person ON track (person_id);

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

-- Files that are to go, as keys or beginnings of keys: removed at once, and once more when nobody can be writing them any longer.
CREATE TABLE unwanted (
    prefix TEXT PRIMARY KEY,
    due_ms BIGINT NOT NULL
);

-- People who were forgotten: results that were on their way must not name them again. Ids are never used twice.
CREATE TABLE forgotten (
    person_id TEXT PRIMARY KEY
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
