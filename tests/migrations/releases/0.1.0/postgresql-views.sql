--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)


--
-- Name: views; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA views;




--
-- Name: activations; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.activations (
    projection text NOT NULL,
    version integer NOT NULL,
    build integer DEFAULT 0 NOT NULL
);


--
-- Name: alembic_version; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: benchmarks_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.benchmarks_v1 (
    benchmark_id text NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    "position" bigint NOT NULL,
    version bigint NOT NULL,
    name text NOT NULL,
    dataset text NOT NULL,
    scorer text NOT NULL,
    scorer_version integer NOT NULL,
    direction text NOT NULL,
    tolerance double precision NOT NULL,
    baseline text,
    defined_at bigint NOT NULL,
    defined_by text NOT NULL
);


--
-- Name: builds; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.builds (
    projection text NOT NULL,
    version integer NOT NULL,
    build integer NOT NULL,
    state text NOT NULL,
    code text NOT NULL,
    tables text NOT NULL
);


--
-- Name: cursors; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.cursors (
    name text NOT NULL,
    "position" bigint NOT NULL
);


--
-- Name: datasets_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.datasets_v1 (
    digest text NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    "position" bigint NOT NULL,
    version bigint NOT NULL,
    description text NOT NULL,
    registered_at bigint NOT NULL,
    registered_by text NOT NULL,
    registered bytea NOT NULL
);


--
-- Name: evaluation_scores_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.evaluation_scores_v1 (
    evaluation_id text NOT NULL,
    name text NOT NULL,
    "position" bigint NOT NULL,
    value double precision NOT NULL
);


--
-- Name: evaluations_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.evaluations_v1 (
    evaluation_id text NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    "position" bigint NOT NULL,
    version bigint NOT NULL,
    run_id text NOT NULL,
    step bigint NOT NULL,
    checkpoint text NOT NULL,
    benchmark_id text NOT NULL,
    status text NOT NULL,
    attempt integer,
    worker text,
    predictions text,
    items bigint,
    scores bytea,
    error_class text,
    message text,
    superseded_by text,
    requested_at bigint NOT NULL,
    requested_by text NOT NULL,
    ended_at bigint
);


--
-- Name: experiments_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.experiments_v1 (
    experiment_id text NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    "position" bigint NOT NULL,
    version bigint NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    archived boolean NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL
);


--
-- Name: log_chunks_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.log_chunks_v1 (
    run_id text NOT NULL,
    attempt integer NOT NULL,
    version bigint NOT NULL,
    "position" bigint NOT NULL,
    start bigint NOT NULL,
    size_bytes bigint NOT NULL,
    digest text NOT NULL
);


--
-- Name: metric_attempts_v2; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.metric_attempts_v2 (
    run_id text NOT NULL,
    attempt integer NOT NULL,
    "position" bigint NOT NULL,
    resumed_attempt integer,
    resumed_step bigint,
    resumed_digest text
);


--
-- Name: metric_batches_v2; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.metric_batches_v2 (
    run_id text NOT NULL,
    attempt integer NOT NULL,
    version bigint NOT NULL,
    "position" bigint NOT NULL,
    payload bytea NOT NULL
);
ALTER TABLE ONLY views.metric_batches_v2 ALTER COLUMN payload SET STORAGE EXTERNAL;


--
-- Name: metric_checkpoints_v2; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.metric_checkpoints_v2 (
    run_id text NOT NULL,
    "position" bigint NOT NULL,
    attempt integer NOT NULL,
    step bigint NOT NULL,
    digest text NOT NULL,
    covers_version bigint NOT NULL,
    covers_offset bigint NOT NULL
);


--
-- Name: metric_segments_v2; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.metric_segments_v2 (
    run_id text NOT NULL,
    attempt integer NOT NULL,
    block bigint NOT NULL,
    place integer NOT NULL,
    first_key text NOT NULL COLLATE pg_catalog."C",
    last_key text NOT NULL COLLATE pg_catalog."C",
    keys bytea NOT NULL,
    points bytea NOT NULL
);
ALTER TABLE ONLY views.metric_segments_v2 ALTER COLUMN points SET STORAGE EXTERNAL;


--
-- Name: metric_summaries_v2; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.metric_summaries_v2 (
    run_id text NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    points bigint NOT NULL,
    non_finite bigint NOT NULL,
    last_value double precision NOT NULL,
    last_step bigint NOT NULL,
    last_time bigint NOT NULL,
    min_value double precision,
    min_step bigint,
    max_value double precision,
    max_step bigint
);


--
-- Name: mlflow_runs; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.mlflow_runs (
    run_id text NOT NULL,
    revision bigint NOT NULL,
    mlflow_experiment_id text,
    mlflow_run_id text,
    parent_run_id text,
    progress text NOT NULL,
    problem text,
    failures integer NOT NULL,
    retry_at bigint
);


--
-- Name: mlflow_sink; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.mlflow_sink (
    name text NOT NULL,
    url text NOT NULL,
    has_looked boolean NOT NULL,
    is_reachable boolean NOT NULL,
    problem text NOT NULL,
    checked_at bigint NOT NULL,
    points bigint NOT NULL
);


--
-- Name: run_artifacts_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.run_artifacts_v1 (
    run_id text NOT NULL,
    path text NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    attempt integer NOT NULL,
    digest text NOT NULL,
    size_bytes bigint NOT NULL,
    media_type text NOT NULL,
    recorded_at bigint NOT NULL
);


--
-- Name: run_attempts_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.run_attempts_v1 (
    run_id text NOT NULL,
    attempt integer NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    worker text NOT NULL,
    epoch bigint NOT NULL,
    resumed_from bytea,
    started_at bigint NOT NULL,
    ended_at bigint,
    ending text,
    environment bytea
);


--
-- Name: run_checkpoints_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.run_checkpoints_v1 (
    run_id text NOT NULL,
    attempt integer NOT NULL,
    step bigint NOT NULL,
    digest text NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    "position" bigint NOT NULL,
    size_bytes bigint NOT NULL,
    loss double precision,
    covers_version bigint NOT NULL,
    covers_offset bigint NOT NULL,
    saved_at bigint NOT NULL,
    deleted_at bigint,
    deleted_by text
);


--
-- Name: run_params_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.run_params_v1 (
    run_id text NOT NULL,
    key text NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    value bytea NOT NULL
);


--
-- Name: run_states_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.run_states_v1 (
    run_id text NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    version bigint NOT NULL,
    "position" bigint NOT NULL,
    experiment_id text NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    hidden boolean NOT NULL,
    note text NOT NULL,
    attempt integer NOT NULL,
    step bigint,
    updated_at bigint NOT NULL,
    started_at bigint,
    ended_at bigint,
    outcome bytea
);


--
-- Name: run_tags_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.run_tags_v1 (
    run_id text NOT NULL,
    key text NOT NULL,
    valid_from bigint NOT NULL,
    valid_to bigint NOT NULL,
    value text NOT NULL
);


--
-- Name: runs_v1; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.runs_v1 (
    run_id text NOT NULL,
    "position" bigint NOT NULL,
    experiment_id text NOT NULL,
    requested_at bigint NOT NULL,
    requested_by text NOT NULL,
    recipe text NOT NULL,
    priority bigint NOT NULL,
    external boolean NOT NULL,
    request bytea NOT NULL
);


--
-- Name: stoppages; Type: TABLE; Schema: views; Owner: -
--

CREATE TABLE views.stoppages (
    cursor text NOT NULL,
    "position" bigint NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    problem text NOT NULL,
    recorded_at bigint NOT NULL
);


--
-- Data for Name: activations; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.activations (projection, version, build) VALUES ('experiments', 1, 0);
INSERT INTO views.activations (projection, version, build) VALUES ('runs', 1, 0);
INSERT INTO views.activations (projection, version, build) VALUES ('metrics', 2, 0);
INSERT INTO views.activations (projection, version, build) VALUES ('logs', 1, 0);
INSERT INTO views.activations (projection, version, build) VALUES ('evaluations', 1, 0);
INSERT INTO views.activations (projection, version, build) VALUES ('datasets', 1, 0);
INSERT INTO views.activations (projection, version, build) VALUES ('benchmarks', 1, 0);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.alembic_version (version_num) VALUES ('views_0004');


--
-- Data for Name: benchmarks_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.benchmarks_v1 (benchmark_id, valid_from, valid_to, "position", version, name, dataset, scorer, scorer_version, direction, tolerance, baseline, defined_at, defined_by) VALUES ('b1', 7, 8, 7, 1, 'b', 'd1', 'exact_match', 1, 'maximize', 0, NULL, 1795333072710974, 'api:local');
INSERT INTO views.benchmarks_v1 (benchmark_id, valid_from, valid_to, "position", version, name, dataset, scorer, scorer_version, direction, tolerance, baseline, defined_at, defined_by) VALUES ('b1', 8, 9, 7, 2, 'b', 'd1', 'exact_match', 1, 'maximize', 0, 'v1', 1795333072710974, 'api:local');
INSERT INTO views.benchmarks_v1 (benchmark_id, valid_from, valid_to, "position", version, name, dataset, scorer, scorer_version, direction, tolerance, baseline, defined_at, defined_by) VALUES ('b1', 9, 9223372036854775807, 7, 3, 'b', 'd1', 'exact_match', 1, 'maximize', 0, NULL, 1795333072710974, 'api:local');


--
-- Data for Name: builds; Type: TABLE DATA; Schema: views; Owner: -
--



--
-- Data for Name: cursors; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.cursors (name, "position") VALUES ('experiments@1', 50);
INSERT INTO views.cursors (name, "position") VALUES ('runs@1', 50);
INSERT INTO views.cursors (name, "position") VALUES ('metrics@2', 50);
INSERT INTO views.cursors (name, "position") VALUES ('logs@1', 50);
INSERT INTO views.cursors (name, "position") VALUES ('evaluations@1', 50);
INSERT INTO views.cursors (name, "position") VALUES ('datasets@1', 50);
INSERT INTO views.cursors (name, "position") VALUES ('benchmarks@1', 50);


--
-- Data for Name: datasets_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.datasets_v1 (digest, valid_from, valid_to, "position", version, description, registered_at, registered_by, registered) VALUES ('d1', 5, 6, 5, 1, '', 1795333072707790, 'api:local', '\x86a46e616d65a164a6666f726d6174a474657874a56974656d7303aa73697a655f627974657309a6736f7572636583a46b696e64a967656e657261746564a967656e657261746f72aa61726974686d65746963a76f7074696f6e7381a47365656401aa7374617469737469637380');
INSERT INTO views.datasets_v1 (digest, valid_from, valid_to, "position", version, description, registered_at, registered_by, registered) VALUES ('d1', 6, 9223372036854775807, 5, 2, 'made', 1795333072707790, 'api:local', '\x86a46e616d65a164a6666f726d6174a474657874a56974656d7303aa73697a655f627974657309a6736f7572636583a46b696e64a967656e657261746564a967656e657261746f72aa61726974686d65746963a76f7074696f6e7381a47365656401aa7374617469737469637380');


--
-- Data for Name: evaluation_scores_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.evaluation_scores_v1 (evaluation_id, name, "position", value) VALUES ('v0', 'exact_match', 14, 0.25);
INSERT INTO views.evaluation_scores_v1 (evaluation_id, name, "position", value) VALUES ('v1', 'exact_match', 20, 'NaN');


--
-- Data for Name: evaluations_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v0', 10, 11, 10, 1, 'r1', 1, 'c1', 'b1', 'queued', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333072713373, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v0', 11, 12, 10, 2, 'r1', 1, 'c1', 'b1', 'running', 1, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333072713373, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v0', 12, 13, 10, 3, 'r1', 1, 'c1', 'b1', 'queued', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333072713373, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v0', 13, 14, 10, 4, 'r1', 1, 'c1', 'b1', 'running', 2, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333072713373, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v0', 14, 15, 10, 5, 'r1', 1, 'c1', 'b1', 'completed', 2, 'w', 'p', 3, '\x9186a46e616d65ab65786163745f6d61746368a576616c7565cb3fd0000000000000a36c6f77c0a468696768c0a5636f756e7403a8756e73636f72656400', NULL, NULL, NULL, 1795333072713373, 'worker:w', 1795333072716278);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v0', 15, 9223372036854775807, 10, 6, 'r1', 1, 'c1', 'b1', 'superseded', 2, 'w', 'p', 3, '\x9186a46e616d65ab65786163745f6d61746368a576616c7565cb3fd0000000000000a36c6f77c0a468696768c0a5636f756e7403a8756e73636f72656400', NULL, NULL, 'v9', 1795333072713373, 'worker:w', 1795333072716278);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v1', 16, 17, 16, 1, 'r1', 1, 'c1', 'b1', 'queued', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333072724162, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v1', 17, 18, 16, 2, 'r1', 1, 'c1', 'b1', 'running', 1, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333072724162, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v1', 18, 19, 16, 3, 'r1', 1, 'c1', 'b1', 'queued', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333072724162, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v1', 19, 20, 16, 4, 'r1', 1, 'c1', 'b1', 'running', 2, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333072724162, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v1', 20, 21, 16, 5, 'r1', 1, 'c1', 'b1', 'completed', 2, 'w', 'p', 3, '\x9186a46e616d65ab65786163745f6d61746368a576616c7565cb7ff8000000000000a36c6f77c0a468696768c0a5636f756e7403a8756e73636f72656400', NULL, NULL, NULL, 1795333072724162, 'worker:w', 1795333072725291);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v1', 21, 9223372036854775807, 16, 6, 'r1', 1, 'c1', 'b1', 'superseded', 2, 'w', 'p', 3, '\x9186a46e616d65ab65786163745f6d61746368a576616c7565cb7ff8000000000000a36c6f77c0a468696768c0a5636f756e7403a8756e73636f72656400', NULL, NULL, 'v9', 1795333072724162, 'worker:w', 1795333072725291);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v2', 22, 23, 22, 1, 'r1', 1, 'c1', 'b1', 'queued', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333072729356, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v2', 23, 24, 22, 2, 'r1', 1, 'c1', 'b1', 'running', 1, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333072729356, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v2', 24, 25, 22, 3, 'r1', 1, 'c1', 'b1', 'queued', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333072729356, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v2', 25, 26, 22, 4, 'r1', 1, 'c1', 'b1', 'running', 2, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333072729356, 'worker:w', NULL);
INSERT INTO views.evaluations_v1 (evaluation_id, valid_from, valid_to, "position", version, run_id, step, checkpoint, benchmark_id, status, attempt, worker, predictions, items, scores, error_class, message, superseded_by, requested_at, requested_by, ended_at) VALUES ('v2', 26, 9223372036854775807, 22, 5, 'r1', 1, 'c1', 'b1', 'failed', 2, 'w', NULL, NULL, NULL, 'ValueError', 'no', NULL, 1795333072729356, 'worker:w', 1795333072732052);


--
-- Data for Name: experiments_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.experiments_v1 (experiment_id, valid_from, valid_to, "position", version, name, description, archived, created_at, created_by) VALUES ('e1', 1, 2, 1, 1, 'one', 'first', false, 1795333072700278, 'api:local');
INSERT INTO views.experiments_v1 (experiment_id, valid_from, valid_to, "position", version, name, description, archived, created_at, created_by) VALUES ('e1', 2, 3, 1, 2, 'uno', 'first', false, 1795333072700278, 'api:local');
INSERT INTO views.experiments_v1 (experiment_id, valid_from, valid_to, "position", version, name, description, archived, created_at, created_by) VALUES ('e1', 3, 4, 1, 3, 'uno', 'first', true, 1795333072700278, 'api:local');
INSERT INTO views.experiments_v1 (experiment_id, valid_from, valid_to, "position", version, name, description, archived, created_at, created_by) VALUES ('e1', 4, 9223372036854775807, 1, 4, 'uno', 'first', false, 1795333072700278, 'api:local');


--
-- Data for Name: log_chunks_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.log_chunks_v1 (run_id, attempt, version, "position", start, size_bytes, digest) VALUES ('r1', 1, 1, 44, 0, 80, 'l0');
INSERT INTO views.log_chunks_v1 (run_id, attempt, version, "position", start, size_bytes, digest) VALUES ('r1', 1, 2, 45, 80, 68, 'l80');
INSERT INTO views.log_chunks_v1 (run_id, attempt, version, "position", start, size_bytes, digest) VALUES ('r1', 1, 4, 48, 148, 39, 'l148');


--
-- Data for Name: metric_attempts_v2; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.metric_attempts_v2 (run_id, attempt, "position", resumed_attempt, resumed_step, resumed_digest) VALUES ('r1', 1, 30, NULL, NULL, NULL);
INSERT INTO views.metric_attempts_v2 (run_id, attempt, "position", resumed_attempt, resumed_step, resumed_digest) VALUES ('r0', 1, 31, NULL, NULL, NULL);
INSERT INTO views.metric_attempts_v2 (run_id, attempt, "position", resumed_attempt, resumed_step, resumed_digest) VALUES ('r2', 1, 34, NULL, NULL, NULL);


--
-- Data for Name: metric_batches_v2; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.metric_batches_v2 (run_id, attempt, version, "position", payload) VALUES ('r0', 1, 1, 33, '\x85a46b65797392a46c6f7373a3616363a96b65795f696e646578c40400000100a473746570c41001000000000000000200000000000000a474696d65c41040420f000000000080841e0000000000a576616c7565c410000000000000f07f000000000000e03f');
INSERT INTO views.metric_batches_v2 (run_id, attempt, version, "position", payload) VALUES ('r2', 1, 1, 36, '\x85a46b65797392a46c6f7373a3616363a96b65795f696e646578c41000000100000001000100000000000100a473746570c44001000000000000000200000000000000030000000000000004000000000000000500000000000000060000000000000007000000000000000800000000000000a474696d65c44040420f000000000080841e0000000000c0c62d000000000000093d0000000000404b4c0000000000808d5b0000000000c0cf6a000000000000127a0000000000a576616c7565c440000000000000f07f355800662deb517e000000000000f0bf000000000000e03f000000000000f07f000000000000f0ff000000000000f87f000000000000f0bf');
INSERT INTO views.metric_batches_v2 (run_id, attempt, version, "position", payload) VALUES ('r1', 1, 3, 46, '\x85a46b65797392a3616363a46c6f7373a96b65795f696e646578c40c000001000100010000000100a473746570c430010000000000000002000000000000000300000000000000040000000000000005000000000000000600000000000000a474696d65c43040420f000000000080841e0000000000c0c62d000000000000093d0000000000404b4c0000000000808d5b0000000000a576616c7565c430000000000000f0ff000000000000f0bf000000000000f0bf000000000000f87f000000000000f0ff000000000000d03f');


--
-- Data for Name: metric_checkpoints_v2; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.metric_checkpoints_v2 (run_id, "position", attempt, step, digest, covers_version, covers_offset) VALUES ('r2', 37, 1, 8, 'c8', 1, 0);
INSERT INTO views.metric_checkpoints_v2 (run_id, "position", attempt, step, digest, covers_version, covers_offset) VALUES ('r1', 47, 1, 6, 'c6', 3, 1);


--
-- Data for Name: metric_segments_v2; Type: TABLE DATA; Schema: views; Owner: -
--



--
-- Data for Name: metric_summaries_v2; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.metric_summaries_v2 (run_id, key, points, non_finite, last_value, last_step, last_time, min_value, min_step, max_value, max_step) VALUES ('r0', 'acc', 1, 0, 0.5, 2, 2000000, 0.5, 2, 0.5, 2);
INSERT INTO views.metric_summaries_v2 (run_id, key, points, non_finite, last_value, last_step, last_time, min_value, min_step, max_value, max_step) VALUES ('r0', 'loss', 1, 1, 'Infinity', 1, 1000000, NULL, NULL, NULL, NULL);
INSERT INTO views.metric_summaries_v2 (run_id, key, points, non_finite, last_value, last_step, last_time, min_value, min_step, max_value, max_step) VALUES ('r2', 'acc', 4, 1, -1, 8, 8000000, -1, 8, 3e+300, 2);
INSERT INTO views.metric_summaries_v2 (run_id, key, points, non_finite, last_value, last_step, last_time, min_value, min_step, max_value, max_step) VALUES ('r2', 'loss', 4, 3, 'NaN', 7, 7000000, -1, 3, -1, 3);
INSERT INTO views.metric_summaries_v2 (run_id, key, points, non_finite, last_value, last_step, last_time, min_value, min_step, max_value, max_step) VALUES ('r1', 'acc', 2, 2, '-Infinity', 5, 5000000, NULL, NULL, NULL, NULL);
INSERT INTO views.metric_summaries_v2 (run_id, key, points, non_finite, last_value, last_step, last_time, min_value, min_step, max_value, max_step) VALUES ('r1', 'loss', 4, 1, 0.25, 6, 6000000, -1, 2, 0.25, 6);


--
-- Data for Name: mlflow_runs; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.mlflow_runs (run_id, revision, mlflow_experiment_id, mlflow_run_id, parent_run_id, progress, problem, failures, retry_at) VALUES ('r0', 1, '1', 'm0', NULL, '{"name":"r0"}', NULL, 0, NULL);


--
-- Data for Name: mlflow_sink; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.mlflow_sink (name, url, has_looked, is_reachable, problem, checked_at, points) VALUES ('sink-mlflow', 'http://mlflow', true, false, 'away', 1767225600000000, 0);


--
-- Data for Name: run_artifacts_v1; Type: TABLE DATA; Schema: views; Owner: -
--



--
-- Data for Name: run_attempts_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.run_attempts_v1 (run_id, attempt, valid_from, valid_to, worker, epoch, resumed_from, started_at, ended_at, ending, environment) VALUES ('r1', 1, 30, 9223372036854775807, 'w', 1, NULL, 1795333072759107, NULL, NULL, NULL);
INSERT INTO views.run_attempts_v1 (run_id, attempt, valid_from, valid_to, worker, epoch, resumed_from, started_at, ended_at, ending, environment) VALUES ('r0', 1, 31, 32, 'w', 1, NULL, 1795262400000000, NULL, NULL, NULL);
INSERT INTO views.run_attempts_v1 (run_id, attempt, valid_from, valid_to, worker, epoch, resumed_from, started_at, ended_at, ending, environment) VALUES ('r0', 1, 32, 42, 'w', 1, NULL, 1795262400000000, NULL, NULL, '\x8ba7617474656d707401a876657273696f6e7381a36a6178a130a76465766963657391a3637075a5666c61677380a473656564c0ad636f64655f7265766973696f6ec0b0636f64655f646966665f646967657374c0ab6c6f636b5f646967657374c0ae646174617365745f646967657374c0a6726573756d65c0a76368616e67656490');
INSERT INTO views.run_attempts_v1 (run_id, attempt, valid_from, valid_to, worker, epoch, resumed_from, started_at, ended_at, ending, environment) VALUES ('r2', 1, 34, 35, 'w', 1, NULL, 1795262400000000, NULL, NULL, NULL);
INSERT INTO views.run_attempts_v1 (run_id, attempt, valid_from, valid_to, worker, epoch, resumed_from, started_at, ended_at, ending, environment) VALUES ('r2', 1, 35, 40, 'w', 101, NULL, 1795262400000000, NULL, NULL, NULL);
INSERT INTO views.run_attempts_v1 (run_id, attempt, valid_from, valid_to, worker, epoch, resumed_from, started_at, ended_at, ending, environment) VALUES ('r2', 1, 40, 9223372036854775807, 'w', 101, NULL, 1795262400000000, 1795262400000000, 'lost', NULL);
INSERT INTO views.run_attempts_v1 (run_id, attempt, valid_from, valid_to, worker, epoch, resumed_from, started_at, ended_at, ending, environment) VALUES ('r0', 1, 42, 9223372036854775807, 'w', 1, NULL, 1795262400000000, 1795262400000000, 'lost', '\x8ba7617474656d707401a876657273696f6e7381a36a6178a130a76465766963657391a3637075a5666c61677380a473656564c0ad636f64655f7265766973696f6ec0b0636f64655f646966665f646967657374c0ab6c6f636b5f646967657374c0ae646174617365745f646967657374c0a6726573756d65c0a76368616e67656490');


--
-- Data for Name: run_checkpoints_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.run_checkpoints_v1 (run_id, attempt, step, digest, valid_from, valid_to, "position", size_bytes, loss, covers_version, covers_offset, saved_at, deleted_at, deleted_by) VALUES ('r2', 1, 8, 'c8', 37, 9223372036854775807, 37, 1, 3e+300, 1, 0, 1795262400000000, NULL, NULL);
INSERT INTO views.run_checkpoints_v1 (run_id, attempt, step, digest, valid_from, valid_to, "position", size_bytes, loss, covers_version, covers_offset, saved_at, deleted_at, deleted_by) VALUES ('r1', 1, 6, 'c6', 47, 9223372036854775807, 47, 1, 0.5, 3, 1, 1795333072820111, NULL, NULL);


--
-- Data for Name: run_params_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.run_params_v1 (run_id, key, valid_from, valid_to, value) VALUES ('r0', 'seed', 27, 9223372036854775807, '\x01');
INSERT INTO views.run_params_v1 (run_id, key, valid_from, valid_to, value) VALUES ('r1', 'seed', 28, 9223372036854775807, '\x07');
INSERT INTO views.run_params_v1 (run_id, key, valid_from, valid_to, value) VALUES ('r2', 'seed', 29, 9223372036854775807, '\x03');
INSERT INTO views.run_params_v1 (run_id, key, valid_from, valid_to, value) VALUES ('r1', 'p1', 49, 9223372036854775807, '\xcb7ff8000000000000');


--
-- Data for Name: run_states_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r0', 27, 31, 1, 27, 'e2', 'r0', 'queued', false, '', 1, NULL, 1795333072742040, NULL, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r1', 28, 30, 1, 28, 'e2', 'r1', 'queued', false, '', 1, NULL, 1795333072752505, NULL, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r2', 29, 34, 1, 29, 'e1', 'r2', 'queued', false, '', 1, NULL, 1795333072756237, NULL, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r1', 30, 47, 2, 28, 'e2', 'r1', 'running', false, '', 1, NULL, 1795333072759107, 1795333072759107, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r0', 31, 32, 2, 27, 'e2', 'r0', 'running', false, '', 1, NULL, 1795333072764354, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r0', 32, 39, 3, 27, 'e2', 'r0', 'running', false, '', 1, NULL, 1795333072768297, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r2', 34, 35, 2, 29, 'e1', 'r2', 'running', false, '', 1, NULL, 1795333072776163, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r2', 35, 37, 3, 29, 'e1', 'r2', 'running', false, '', 1, NULL, 1795333072782136, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r2', 37, 38, 4, 29, 'e1', 'r2', 'running', false, '', 1, 8, 1795333072788430, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r2', 38, 40, 5, 29, 'e1', 'r2', 'pausing', false, '', 1, 8, 1795333072790754, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r0', 39, 42, 4, 27, 'e2', 'n1', 'running', false, '', 1, NULL, 1795333072796807, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r2', 40, 41, 6, 29, 'e1', 'r2', 'pausing', false, '', 1, 8, 1795333072801103, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r2', 41, 9223372036854775807, 7, 29, 'e1', 'r2', 'paused', false, '', 1, 8, 1795333072801103, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r0', 42, 43, 5, 27, 'e2', 'n1', 'running', false, '', 1, NULL, 1795333072804281, 1795262400000000, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r0', 43, 50, 6, 27, 'e2', 'n1', 'failed', false, '', 1, NULL, 1795333072804281, 1795262400000000, 1795262400000000, '\x85a7617474656d707401a6726561736f6eab776f726b65722d6c6f7374ab6572726f725f636c617373a0a76d657373616765bc6e6f7468696e67206d6f726520776173206865617264206f66206974aa6c6173745f6c696e657390');
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r1', 47, 49, 3, 28, 'e2', 'r1', 'running', false, '', 1, 6, 1795333072820111, 1795333072759107, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r1', 49, 9223372036854775807, 4, 28, 'e2', 'r1', 'running', false, '', 1, 6, 1795333072832214, 1795333072759107, NULL, NULL);
INSERT INTO views.run_states_v1 (run_id, valid_from, valid_to, version, "position", experiment_id, name, status, hidden, note, attempt, step, updated_at, started_at, ended_at, outcome) VALUES ('r0', 50, 9223372036854775807, 7, 27, 'e2', 'n3', 'failed', false, '', 1, NULL, 1795333072835686, 1795262400000000, 1795262400000000, '\x85a7617474656d707401a6726561736f6eab776f726b65722d6c6f7374ab6572726f725f636c617373a0a76d657373616765bc6e6f7468696e67206d6f726520776173206865617264206f66206974aa6c6173745f6c696e657390');


--
-- Data for Name: run_tags_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.run_tags_v1 (run_id, key, valid_from, valid_to, value) VALUES ('r0', 'first', 27, 9223372036854775807, '1');
INSERT INTO views.run_tags_v1 (run_id, key, valid_from, valid_to, value) VALUES ('r1', 'first', 28, 9223372036854775807, '1');
INSERT INTO views.run_tags_v1 (run_id, key, valid_from, valid_to, value) VALUES ('r2', 'first', 29, 9223372036854775807, '1');


--
-- Data for Name: runs_v1; Type: TABLE DATA; Schema: views; Owner: -
--

INSERT INTO views.runs_v1 (run_id, "position", experiment_id, requested_at, requested_by, recipe, priority, external, request) VALUES ('r0', 27, 'e2', 1795262400000000, 'api:local', 'lm', 0, true, '\x8bad6578706572696d656e745f6964a26532a46e616d65a27230a47370656384a6726563697065a26c6da776657273696f6e01a6646967657374a164a676616c75657381a47365656401a47461677381a56669727374a131a87072696f7269747900a66c696d69747383a8617474656d70747304ac77616c6c5f7365636f6e6473c0b36e6f5f70726f67726573735f7365636f6e6473cb4082c00000000000a664657669636583a46b696e64a3616e79a5636f756e7401ac6d656d6f72795f627974657300ad776f726b65725f6c6162656c7380ab666f726b65645f66726f6dc0a865787465726e616cc3ac7265717565737465645f6279a96170693a6c6f63616c');
INSERT INTO views.runs_v1 (run_id, "position", experiment_id, requested_at, requested_by, recipe, priority, external, request) VALUES ('r1', 28, 'e2', 1795333072752505, 'api:local', 'lm', 0, false, '\x8bad6578706572696d656e745f6964a26532a46e616d65a27231a47370656384a6726563697065a26c6da776657273696f6e01a6646967657374a164a676616c75657381a47365656407a47461677381a56669727374a131a87072696f7269747900a66c696d69747383a8617474656d70747304ac77616c6c5f7365636f6e6473c0b36e6f5f70726f67726573735f7365636f6e6473cb4082c00000000000a664657669636583a46b696e64a3616e79a5636f756e7401ac6d656d6f72795f627974657300ad776f726b65725f6c6162656c7380ab666f726b65645f66726f6dc0a865787465726e616cc2ac7265717565737465645f6279a96170693a6c6f63616c');
INSERT INTO views.runs_v1 (run_id, "position", experiment_id, requested_at, requested_by, recipe, priority, external, request) VALUES ('r2', 29, 'e1', 1795262400000000, 'api:local', 'lm', 0, true, '\x8bad6578706572696d656e745f6964a26531a46e616d65a27232a47370656384a6726563697065a26c6da776657273696f6e01a6646967657374a164a676616c75657381a47365656403a47461677381a56669727374a131a87072696f7269747900a66c696d69747383a8617474656d70747304ac77616c6c5f7365636f6e6473c0b36e6f5f70726f67726573735f7365636f6e6473cb4082c00000000000a664657669636583a46b696e64a3616e79a5636f756e7401ac6d656d6f72795f627974657300ad776f726b65725f6c6162656c7380ab666f726b65645f66726f6dc0a865787465726e616cc3ac7265717565737465645f6279a96170693a6c6f63616c');


--
-- Data for Name: stoppages; Type: TABLE DATA; Schema: views; Owner: -
--



--
-- Name: activations activations_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.activations
    ADD CONSTRAINT activations_pkey PRIMARY KEY (projection);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: benchmarks_v1 benchmarks_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.benchmarks_v1
    ADD CONSTRAINT benchmarks_v1_pkey PRIMARY KEY (benchmark_id, valid_from);


--
-- Name: builds builds_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.builds
    ADD CONSTRAINT builds_pkey PRIMARY KEY (projection, version, build);


--
-- Name: cursors cursors_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.cursors
    ADD CONSTRAINT cursors_pkey PRIMARY KEY (name);


--
-- Name: datasets_v1 datasets_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.datasets_v1
    ADD CONSTRAINT datasets_v1_pkey PRIMARY KEY (digest, valid_from);


--
-- Name: evaluation_scores_v1 evaluation_scores_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.evaluation_scores_v1
    ADD CONSTRAINT evaluation_scores_v1_pkey PRIMARY KEY (evaluation_id, name, "position");


--
-- Name: evaluations_v1 evaluations_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.evaluations_v1
    ADD CONSTRAINT evaluations_v1_pkey PRIMARY KEY (evaluation_id, valid_from);


--
-- Name: experiments_v1 experiments_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.experiments_v1
    ADD CONSTRAINT experiments_v1_pkey PRIMARY KEY (experiment_id, valid_from);


--
-- Name: log_chunks_v1 log_chunks_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.log_chunks_v1
    ADD CONSTRAINT log_chunks_v1_pkey PRIMARY KEY (run_id, attempt, version);


--
-- Name: metric_attempts_v2 metric_attempts_v2_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.metric_attempts_v2
    ADD CONSTRAINT metric_attempts_v2_pkey PRIMARY KEY (run_id, attempt);


--
-- Name: metric_batches_v2 metric_batches_v2_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.metric_batches_v2
    ADD CONSTRAINT metric_batches_v2_pkey PRIMARY KEY (run_id, attempt, version);


--
-- Name: metric_checkpoints_v2 metric_checkpoints_v2_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.metric_checkpoints_v2
    ADD CONSTRAINT metric_checkpoints_v2_pkey PRIMARY KEY (run_id, "position");


--
-- Name: metric_segments_v2 metric_segments_v2_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.metric_segments_v2
    ADD CONSTRAINT metric_segments_v2_pkey PRIMARY KEY (run_id, attempt, block, place);


--
-- Name: metric_summaries_v2 metric_summaries_v2_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.metric_summaries_v2
    ADD CONSTRAINT metric_summaries_v2_pkey PRIMARY KEY (run_id, key);


--
-- Name: mlflow_runs mlflow_runs_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.mlflow_runs
    ADD CONSTRAINT mlflow_runs_pkey PRIMARY KEY (run_id);


--
-- Name: mlflow_sink mlflow_sink_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.mlflow_sink
    ADD CONSTRAINT mlflow_sink_pkey PRIMARY KEY (name);


--
-- Name: run_artifacts_v1 run_artifacts_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.run_artifacts_v1
    ADD CONSTRAINT run_artifacts_v1_pkey PRIMARY KEY (run_id, path, valid_from);


--
-- Name: run_attempts_v1 run_attempts_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.run_attempts_v1
    ADD CONSTRAINT run_attempts_v1_pkey PRIMARY KEY (run_id, attempt, valid_from);


--
-- Name: run_checkpoints_v1 run_checkpoints_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.run_checkpoints_v1
    ADD CONSTRAINT run_checkpoints_v1_pkey PRIMARY KEY (run_id, attempt, step, digest, valid_from);


--
-- Name: run_params_v1 run_params_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.run_params_v1
    ADD CONSTRAINT run_params_v1_pkey PRIMARY KEY (run_id, key, valid_from);


--
-- Name: run_states_v1 run_states_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.run_states_v1
    ADD CONSTRAINT run_states_v1_pkey PRIMARY KEY (run_id, valid_from);


--
-- Name: run_tags_v1 run_tags_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.run_tags_v1
    ADD CONSTRAINT run_tags_v1_pkey PRIMARY KEY (run_id, key, valid_from);


--
-- Name: runs_v1 runs_v1_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.runs_v1
    ADD CONSTRAINT runs_v1_pkey PRIMARY KEY (run_id);


--
-- Name: runs_v1 runs_v1_position_key; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.runs_v1
    ADD CONSTRAINT runs_v1_position_key UNIQUE ("position");


--
-- Name: stoppages stoppages_pkey; Type: CONSTRAINT; Schema: views; Owner: -
--

ALTER TABLE ONLY views.stoppages
    ADD CONSTRAINT stoppages_pkey PRIMARY KEY (cursor);


--
-- Name: benchmarks_v1_name; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX benchmarks_v1_name ON views.benchmarks_v1 USING btree (name, valid_to);


--
-- Name: benchmarks_v1_newest; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX benchmarks_v1_newest ON views.benchmarks_v1 USING btree (valid_to, "position");


--
-- Name: datasets_v1_newest; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX datasets_v1_newest ON views.datasets_v1 USING btree (valid_to, "position");


--
-- Name: evaluation_scores_v1_best; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX evaluation_scores_v1_best ON views.evaluation_scores_v1 USING btree (name, value);


--
-- Name: evaluations_v1_benchmark; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX evaluations_v1_benchmark ON views.evaluations_v1 USING btree (benchmark_id, valid_to, "position");


--
-- Name: evaluations_v1_newest; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX evaluations_v1_newest ON views.evaluations_v1 USING btree (valid_to, "position");


--
-- Name: evaluations_v1_run; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX evaluations_v1_run ON views.evaluations_v1 USING btree (run_id, valid_to, "position");


--
-- Name: experiments_v1_newest; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX experiments_v1_newest ON views.experiments_v1 USING btree (valid_to, "position");


--
-- Name: metric_segments_v2_keys; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX metric_segments_v2_keys ON views.metric_segments_v2 USING btree (run_id, last_key, first_key);


--
-- Name: metric_summaries_v2_last; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX metric_summaries_v2_last ON views.metric_summaries_v2 USING btree (key, last_value);


--
-- Name: mlflow_runs_parent; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX mlflow_runs_parent ON views.mlflow_runs USING btree (parent_run_id);


--
-- Name: mlflow_runs_retry; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX mlflow_runs_retry ON views.mlflow_runs USING btree (retry_at);


--
-- Name: run_states_v1_experiment; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX run_states_v1_experiment ON views.run_states_v1 USING btree (experiment_id, valid_to, "position");


--
-- Name: run_states_v1_newest; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX run_states_v1_newest ON views.run_states_v1 USING btree (valid_to, "position");


--
-- Name: run_states_v1_status; Type: INDEX; Schema: views; Owner: -
--

CREATE INDEX run_states_v1_status ON views.run_states_v1 USING btree (status, valid_to, "position");


--
-- PostgreSQL database dump complete
--



