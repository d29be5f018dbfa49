--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)


--
-- Name: ledger; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA ledger;


--
-- Name: refuse_change(); Type: FUNCTION; Schema: ledger; Owner: -
--

CREATE FUNCTION ledger.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'restrict_violation'; END $$;




--
-- Name: alembic_version; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: api_tokens; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.api_tokens (
    digest text NOT NULL,
    holder text NOT NULL,
    role text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);


--
-- Name: cursors; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.cursors (
    name text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL
);


--
-- Name: dispatches; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.dispatches (
    stream text NOT NULL COLLATE pg_catalog."C",
    attempt integer NOT NULL,
    "position" bigint NOT NULL,
    state text NOT NULL,
    recipe text NOT NULL,
    recipe_digest text NOT NULL,
    priority integer NOT NULL,
    device text NOT NULL,
    labels text NOT NULL,
    requested_at bigint NOT NULL,
    sent_at bigint,
    send_count integer NOT NULL
);


--
-- Name: events; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.events (
    "position" bigint NOT NULL,
    stream text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    schema integer NOT NULL,
    recorded_at bigint NOT NULL,
    occurred_at bigint NOT NULL,
    actor text NOT NULL,
    correlation_id text,
    causation_id text,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    payload bytea NOT NULL
);
ALTER TABLE ONLY ledger.events ALTER COLUMN payload SET COMPRESSION lz4;


--
-- Name: head; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.head (
    id smallint NOT NULL,
    "position" bigint NOT NULL,
    recorded_at bigint NOT NULL
);


--
-- Name: idempotency_keys; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.idempotency_keys (
    holder text NOT NULL,
    key text NOT NULL,
    fingerprint text NOT NULL,
    status integer NOT NULL,
    body bytea NOT NULL,
    created_at bigint NOT NULL
);


--
-- Name: leases; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.leases (
    stream text NOT NULL COLLATE pg_catalog."C",
    attempt integer NOT NULL,
    epoch bigint NOT NULL,
    holder text,
    expires_at bigint NOT NULL,
    renewed_at bigint NOT NULL,
    phase text,
    done bigint,
    total bigint,
    progressed_at bigint NOT NULL
);


--
-- Name: log_info; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.log_info (
    log_id text NOT NULL,
    created_at bigint NOT NULL
);


--
-- Name: sealing; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.sealing (
    id smallint NOT NULL,
    problem text NOT NULL,
    since bigint NOT NULL
);


--
-- Name: seals; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.seals (
    size bigint NOT NULL,
    root bytea NOT NULL,
    sealed_at bigint NOT NULL,
    frontier bytea NOT NULL,
    note text NOT NULL
);


--
-- Name: workers; Type: TABLE; Schema: ledger; Owner: -
--

CREATE TABLE ledger.workers (
    worker_id text NOT NULL COLLATE pg_catalog."C",
    recipes text NOT NULL,
    devices text NOT NULL,
    labels text NOT NULL,
    started_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    state text NOT NULL
);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.alembic_version (version_num) VALUES ('ledger_0003');


--
-- Data for Name: api_tokens; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.api_tokens (digest, holder, role, created_at, expires_at, revoked_at) VALUES ('119dafb8a739bc0c912e14525d25842211f297bef0b51fe0782a91de585a3054', 'alice', 'member', 1795333072987842, NULL, NULL);


--
-- Data for Name: cursors; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.cursors (name, "position") VALUES ('relay', 9);


--
-- Data for Name: dispatches; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.dispatches (stream, attempt, "position", state, recipe, recipe_digest, priority, device, labels, requested_at, sent_at, send_count) VALUES ('run-r0', 1, 1, 'pending', 'lm', 'd', 0, '{"kind":"any","count":1,"memory_bytes":0}', '{}', 1767225600000000, NULL, 0);


--
-- Data for Name: events; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (1, 'experiment-e1', 1, 'c3418e4a-f5b0-4a44-a26b-4216409d02a4', 'ExperimentCreated', 1, 1795333072700278, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\xd03f862d20705a1e2a5897bec6529c104335d75ea59f856cb9669a7f1037c3a2', '\x82a46e616d65a36f6e65ab6465736372697074696f6ea56669727374');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (2, 'experiment-e1', 2, 'e369be76-f2d1-4565-bf7e-cf3177bc4004', 'ExperimentRenamed', 1, 1795333072705196, 1795262400000000, 'api:local', NULL, NULL, '\xd03f862d20705a1e2a5897bec6529c104335d75ea59f856cb9669a7f1037c3a2', '\xfa233ed650005a814e592d4a84bcd92cd588b4e4d1c6a3f5ee0333758b1ef604', '\x81a46e616d65a3756e6f');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (3, 'experiment-e1', 3, 'd6cac4d2-3a74-4a94-bdb9-6d3ac59cadca', 'ExperimentArchived', 1, 1795333072705196, 1795262400000000, 'api:local', NULL, NULL, '\xfa233ed650005a814e592d4a84bcd92cd588b4e4d1c6a3f5ee0333758b1ef604', '\x5878c6eff0344252c7b93d1f52266fd71734abc6fe2e7f7171df96be7856d124', '\x81a6726561736f6ea0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (4, 'experiment-e1', 4, '723b9bf6-4d83-4c15-8f40-b9e1e458da36', 'ExperimentRestored', 1, 1795333072705196, 1795262400000000, 'api:local', NULL, NULL, '\x5878c6eff0344252c7b93d1f52266fd71734abc6fe2e7f7171df96be7856d124', '\xb7feee77118fb0fce2f73fe15b248324f10141546b508b2b1648ab636442038a', '\x81a6726561736f6ea0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (5, 'dataset-d1', 1, 'faf8c01a-25ae-4096-af0c-43f62195b95a', 'DatasetRegistered', 1, 1795333072707790, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\x216fca5d4fa28415a2bf0ab0495b4d8c02bb365a097f05f92b3d4e4ec18ea8da', '\x86a46e616d65a164a6666f726d6174a474657874a56974656d7303aa73697a655f627974657309a6736f7572636583a46b696e64a967656e657261746564a967656e657261746f72aa61726974686d65746963a76f7074696f6e7381a47365656401aa7374617469737469637380');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (6, 'dataset-d1', 2, 'a1545037-a993-4261-b20e-cbc840e2d934', 'DatasetDescribed', 1, 1795333072707790, 1795262400000000, 'api:local', NULL, NULL, '\x216fca5d4fa28415a2bf0ab0495b4d8c02bb365a097f05f92b3d4e4ec18ea8da', '\x1df17a887b5ef79516ad10018120565a515b7efcd29fbba0c2a868b8eb44c525', '\x81ab6465736372697074696f6ea46d616465');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (7, 'benchmark-b1', 1, 'd310b006-c108-4277-9950-0e951379eb6c', 'BenchmarkDefined', 1, 1795333072710974, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\x472a6f7053ba85c9c0fffb31e5aa25642d1abaed0b9c0fc48bf04ee929ff6dc4', '\x86a46e616d65a162a764617461736574a26431a673636f726572ab65786163745f6d61746368ae73636f7265725f76657273696f6e01a9646972656374696f6ea86d6178696d697a65a9746f6c6572616e6365cb0000000000000000');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (8, 'benchmark-b1', 2, '5f6ab860-70f8-4147-b093-d3f0fa05e21c', 'BaselinePromoted', 1, 1795333072710974, 1795262400000000, 'api:local', NULL, NULL, '\x472a6f7053ba85c9c0fffb31e5aa25642d1abaed0b9c0fc48bf04ee929ff6dc4', '\x105222eb13998482c8152e3ba57b45d3d34f8e58708443e3af3cc4bdd4c4a4ec', '\x84ad6576616c756174696f6e5f6964a27631a870726576696f7573c0a865766964656e636580a6726561736f6ea56669727374');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (9, 'benchmark-b1', 3, '85d99bb6-e4ef-4146-8a0a-eb6b494ca577', 'BaselineWithdrawn', 1, 1795333072710974, 1795262400000000, 'api:local', NULL, NULL, '\x105222eb13998482c8152e3ba57b45d3d34f8e58708443e3af3cc4bdd4c4a4ec', '\x153016ed7bb49690a93296e0e6fcfeb012d433d4418e8bdcfc241675a950335a', '\x82ad6576616c756174696f6e5f6964a27631a6726561736f6ea577726f6e67');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (10, 'evaluation-v0', 1, 'ce525103-c886-42f5-8de0-bee776964b4d', 'EvaluationRequested', 1, 1795333072713373, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\x9407959aef13d3a0520d67c276b2fc8b8a233ea45e4179823f93c9217b2fc29f', '\x85a672756e5f6964a27231a47374657001aa636865636b706f696e74a26331ac62656e63686d61726b5f6964a26231ac7265717565737465645f6279a8776f726b65723a77');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (11, 'evaluation-v0', 2, 'b9b18c15-0521-4a11-a10b-1f08b29e120c', 'EvaluationStarted', 1, 1795333072713373, 1795262400000000, 'api:local', NULL, NULL, '\x9407959aef13d3a0520d67c276b2fc8b8a233ea45e4179823f93c9217b2fc29f', '\x245e1d123ce6b2b749e08c3f1e2336e10687a477a5361c0633e0dbd4ebf8fdfd', '\x83a7617474656d707401a6776f726b6572a177a565706f636801');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (12, 'evaluation-v0', 3, 'aa6a78df-f6e6-4843-92cf-a0359acd8e06', 'EvaluationLost', 1, 1795333072713373, 1795262400000000, 'api:local', NULL, NULL, '\x245e1d123ce6b2b749e08c3f1e2336e10687a477a5361c0633e0dbd4ebf8fdfd', '\xdacaa1e0cb50da8ec1cf9b0de5d4695cac84fb76b0c7d1bfb200a1fb0588579a', '\x82a7617474656d707401b16c6173745f6865617274626561745f6174c0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (13, 'evaluation-v0', 4, 'e1307552-fc39-43ab-9606-1f7b9fc14ad0', 'EvaluationStarted', 1, 1795333072713373, 1795262400000000, 'api:local', NULL, NULL, '\xdacaa1e0cb50da8ec1cf9b0de5d4695cac84fb76b0c7d1bfb200a1fb0588579a', '\xef97396b78945ef43ffde91104e4d489bc1784db797df92bbc3cf4fce7fdcf06', '\x83a7617474656d707402a6776f726b6572a177a565706f636802');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (14, 'evaluation-v0', 5, '3dee56c8-fc5b-478b-ac1f-5c3aa575e342', 'EvaluationCompleted', 1, 1795333072716278, 1795262400000000, 'api:local', NULL, NULL, '\xef97396b78945ef43ffde91104e4d489bc1784db797df92bbc3cf4fce7fdcf06', '\xc735fa9dccffdfd1b57e55d898d0645d8e4473f8f81b9e92471d6904dcfacf5b', '\x84a7617474656d707402a673636f7265739186a46e616d65ab65786163745f6d61746368a576616c7565cb3fd0000000000000a36c6f77c0a468696768c0a5636f756e7403a8756e73636f72656400ab70726564696374696f6e73a170a56974656d7303');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (15, 'evaluation-v0', 6, '8ba8bb5f-d662-424b-b9e9-02f043279341', 'EvaluationSuperseded', 1, 1795333072720092, 1795262400000000, 'api:local', NULL, NULL, '\xc735fa9dccffdfd1b57e55d898d0645d8e4473f8f81b9e92471d6904dcfacf5b', '\x81ea8c7a5b076d7e0373a2274316219b5b7c0bfe8f3fac13bb87eea0f2c08c22', '\x82a26279a27639a6726561736f6ea0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (16, 'evaluation-v1', 1, 'b477d30e-787c-419f-b841-e8d71876216c', 'EvaluationRequested', 1, 1795333072724162, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\x29bb01e24c95436b4d19b9f9de8e38e68cf4b447a310a16a0cb1cb4a94986055', '\x85a672756e5f6964a27231a47374657001aa636865636b706f696e74a26331ac62656e63686d61726b5f6964a26231ac7265717565737465645f6279a8776f726b65723a77');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (17, 'evaluation-v1', 2, 'd69f575f-13a6-494a-8bf5-caef8dcac767', 'EvaluationStarted', 1, 1795333072724162, 1795262400000000, 'api:local', NULL, NULL, '\x29bb01e24c95436b4d19b9f9de8e38e68cf4b447a310a16a0cb1cb4a94986055', '\x261efb70881739ee739e28007a659fc56275bcee4a7ce0057db42de93ae21e06', '\x83a7617474656d707401a6776f726b6572a177a565706f636801');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (18, 'evaluation-v1', 3, '549d8cf5-6382-4a33-ad37-ded8d5e02d04', 'EvaluationLost', 1, 1795333072724162, 1795262400000000, 'api:local', NULL, NULL, '\x261efb70881739ee739e28007a659fc56275bcee4a7ce0057db42de93ae21e06', '\x800daf2eef8a43df2fb20e558f692e03700c0bcefb87b78dcdcf428fe65a2a61', '\x82a7617474656d707401b16c6173745f6865617274626561745f6174c0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (19, 'evaluation-v1', 4, '640e14ca-9ea3-4c05-abdd-82ad465fa3e8', 'EvaluationStarted', 1, 1795333072724162, 1795262400000000, 'api:local', NULL, NULL, '\x800daf2eef8a43df2fb20e558f692e03700c0bcefb87b78dcdcf428fe65a2a61', '\x1d8820e41234e443fca271d39f72aeca9a0df82959f37a74cedee12d4b3f8b20', '\x83a7617474656d707402a6776f726b6572a177a565706f636802');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (20, 'evaluation-v1', 5, '4be3fd5f-1bee-4fa4-95f6-9a82cbcb72b9', 'EvaluationCompleted', 1, 1795333072725291, 1795262400000000, 'api:local', NULL, NULL, '\x1d8820e41234e443fca271d39f72aeca9a0df82959f37a74cedee12d4b3f8b20', '\x94a7982bbe3a980edaab9c0305288ac688b70f33c589de9931c7a9a8dc821987', '\x84a7617474656d707402a673636f7265739186a46e616d65ab65786163745f6d61746368a576616c7565cb7ff8000000000000a36c6f77c0a468696768c0a5636f756e7403a8756e73636f72656400ab70726564696374696f6e73a170a56974656d7303');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (21, 'evaluation-v1', 6, '3f739c17-7a56-45bb-b636-ec5564777b01', 'EvaluationSuperseded', 1, 1795333072727676, 1795262400000000, 'api:local', NULL, NULL, '\x94a7982bbe3a980edaab9c0305288ac688b70f33c589de9931c7a9a8dc821987', '\xf7f34c4da3394b96f85fd2230c94f4ec54fa0b319e7ed81d5ad534130f4173c6', '\x82a26279a27639a6726561736f6ea0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (22, 'evaluation-v2', 1, '29510a3f-27dd-469a-9880-3f066c5d2e15', 'EvaluationRequested', 1, 1795333072729356, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\x600655b09347637bc793c640e9bdec9ae8782c77fb19c24eb26d641717c98bae', '\x85a672756e5f6964a27231a47374657001aa636865636b706f696e74a26331ac62656e63686d61726b5f6964a26231ac7265717565737465645f6279a8776f726b65723a77');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (23, 'evaluation-v2', 2, '8726bd0c-1cdd-418f-afe3-bd994033390d', 'EvaluationStarted', 1, 1795333072729356, 1795262400000000, 'api:local', NULL, NULL, '\x600655b09347637bc793c640e9bdec9ae8782c77fb19c24eb26d641717c98bae', '\x58acd04856e2e05199b843f29f599f4757d1f71d8b366f52dbcf7577c22989e3', '\x83a7617474656d707401a6776f726b6572a177a565706f636801');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (24, 'evaluation-v2', 3, '8ed0e78f-39d3-4c06-8d0e-28ee43a7c56f', 'EvaluationLost', 1, 1795333072729356, 1795262400000000, 'api:local', NULL, NULL, '\x58acd04856e2e05199b843f29f599f4757d1f71d8b366f52dbcf7577c22989e3', '\xce7654b37f95e0dcd502e9cea730ec63b3ebafdfd6ded43678aff24b2887cd71', '\x82a7617474656d707401b16c6173745f6865617274626561745f6174c0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (25, 'evaluation-v2', 4, '02076eac-174a-4e4f-a667-01ec1cc4235e', 'EvaluationStarted', 1, 1795333072729356, 1795262400000000, 'api:local', NULL, NULL, '\xce7654b37f95e0dcd502e9cea730ec63b3ebafdfd6ded43678aff24b2887cd71', '\x0be9088b7bfeff613ce7e7e8e81a4335224692fbab24e5ac3045e59a70d508a2', '\x83a7617474656d707402a6776f726b6572a177a565706f636802');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (26, 'evaluation-v2', 5, '09a6357a-f427-4886-9e18-486bbc51a9a6', 'EvaluationFailed', 1, 1795333072732052, 1795262400000000, 'api:local', NULL, NULL, '\x0be9088b7bfeff613ce7e7e8e81a4335224692fbab24e5ac3045e59a70d508a2', '\xdf21fa4e8aca3b02da3aedfd3d643b6a31e22ab4c33e24296191d06242646c4f', '\x83a7617474656d707402ab6572726f725f636c617373aa56616c75654572726f72a76d657373616765a26e6f');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (27, 'run-r0', 1, '113e0e1f-14b4-4c8c-a6c5-4746d09fc6fb', 'RunRequested', 1, 1795333072742040, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\xd4a380228f95c8828c99f90b3f8adc3b3e4820991192aa62042a5b642fdc60f4', '\x8bad6578706572696d656e745f6964a26532a46e616d65a27230a47370656384a6726563697065a26c6da776657273696f6e01a6646967657374a164a676616c75657381a47365656401a47461677381a56669727374a131a87072696f7269747900a66c696d69747383a8617474656d70747304ac77616c6c5f7365636f6e6473c0b36e6f5f70726f67726573735f7365636f6e6473cb4082c00000000000a664657669636583a46b696e64a3616e79a5636f756e7401ac6d656d6f72795f627974657300ad776f726b65725f6c6162656c7380ab666f726b65645f66726f6dc0a865787465726e616cc3ac7265717565737465645f6279a96170693a6c6f63616c');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (28, 'run-r1', 1, 'f689b4c8-4167-4e39-a907-ef4a02e0b728', 'RunRequested', 1, 1795333072752505, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\x3e7ec7630afe6195bc33a3f8a78ce8d8058b6c64500a64ee4963ebc054c72d30', '\x8bad6578706572696d656e745f6964a26532a46e616d65a27231a47370656384a6726563697065a26c6da776657273696f6e01a6646967657374a164a676616c75657381a47365656407a47461677381a56669727374a131a87072696f7269747900a66c696d69747383a8617474656d70747304ac77616c6c5f7365636f6e6473c0b36e6f5f70726f67726573735f7365636f6e6473cb4082c00000000000a664657669636583a46b696e64a3616e79a5636f756e7401ac6d656d6f72795f627974657300ad776f726b65725f6c6162656c7380ab666f726b65645f66726f6dc0a865787465726e616cc2ac7265717565737465645f6279a96170693a6c6f63616c');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (29, 'run-r2', 1, '808d5956-0cbe-45e7-9419-29e3caf7bde2', 'RunRequested', 1, 1795333072756237, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\xb7e3f12cc612da5f178903f505b18780c9406a93ea830e14bf75f0e1b55883e3', '\x8bad6578706572696d656e745f6964a26531a46e616d65a27232a47370656384a6726563697065a26c6da776657273696f6e01a6646967657374a164a676616c75657381a47365656403a47461677381a56669727374a131a87072696f7269747900a66c696d69747383a8617474656d70747304ac77616c6c5f7365636f6e6473c0b36e6f5f70726f67726573735f7365636f6e6473cb4082c00000000000a664657669636583a46b696e64a3616e79a5636f756e7401ac6d656d6f72795f627974657300ad776f726b65725f6c6162656c7380ab666f726b65645f66726f6dc0a865787465726e616cc3ac7265717565737465645f6279a96170693a6c6f63616c');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (30, 'run-r1', 2, 'eb8e2198-a243-450a-9c25-e278adf5a722', 'RunStarted', 1, 1795333072759107, 1795262400000000, 'api:local', NULL, NULL, '\x3e7ec7630afe6195bc33a3f8a78ce8d8058b6c64500a64ee4963ebc054c72d30', '\xb308fdfcd0c8a1ff605eadcedd81ecafd16e7b87797ee5b4a8cfd138f52fe4ab', '\x84a7617474656d707401a6776f726b6572a177a565706f636801ac726573756d65645f66726f6dc0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (31, 'run-r0', 2, 'be7c5042-5e70-4838-bfee-a62b6ffda51c', 'RunStarted', 1, 1795333072764354, 1795262400000000, 'api:local', NULL, NULL, '\xd4a380228f95c8828c99f90b3f8adc3b3e4820991192aa62042a5b642fdc60f4', '\xa35b3e4aec668b137db6ef1ce2bd1f7231ac7e7925430f5d74ddfc870179bbee', '\x84a7617474656d707401a6776f726b6572a177a565706f636801ac726573756d65645f66726f6dc0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (32, 'run-r0', 3, '8da222fa-e767-4434-be9b-f3032fd0cf91', 'RunEnvironmentRecorded', 1, 1795333072768297, 1795262400000000, 'api:local', NULL, NULL, '\xa35b3e4aec668b137db6ef1ce2bd1f7231ac7e7925430f5d74ddfc870179bbee', '\x6c0a8dbef2f5949333fd8628291795703f43e56eb32021750164405d664f2eef', '\x8ba7617474656d707401a876657273696f6e7381a36a6178a130a76465766963657391a3637075a5666c61677380a473656564c0ad636f64655f7265766973696f6ec0b0636f64655f646966665f646967657374c0ab6c6f636b5f646967657374c0ae646174617365745f646967657374c0a6726573756d65c0a76368616e67656490');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (33, 'telemetry-r0-1', 1, '867914cc-46f1-45c3-a091-913108f8907b', 'MetricsRecorded', 1, 1795333072772809, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\xd8ef59c7d0a1bee7efbe5c9974dfb7fbbe30671e4a27b835c5d3849e3e8cec5b', '\x85a46b65797392a46c6f7373a3616363a96b65795f696e646578c40400000100a473746570c41001000000000000000200000000000000a474696d65c41040420f000000000080841e0000000000a576616c7565c410000000000000f07f000000000000e03f');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (34, 'run-r2', 2, 'dc53bf18-3417-4ceb-929d-2bf081c22405', 'RunStarted', 1, 1795333072776163, 1795262400000000, 'api:local', NULL, NULL, '\xb7e3f12cc612da5f178903f505b18780c9406a93ea830e14bf75f0e1b55883e3', '\x8db06816836afacb925827dea876a7ee3689ac553b73e92ff645730b82c24e82', '\x84a7617474656d707401a6776f726b6572a177a565706f636801ac726573756d65645f66726f6dc0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (35, 'run-r2', 3, '1413ea66-c2a4-4410-b33b-0fde455cfea9', 'RunAttemptReturned', 1, 1795333072782136, 1795262400000000, 'api:local', NULL, NULL, '\x8db06816836afacb925827dea876a7ee3689ac553b73e92ff645730b82c24e82', '\x7d5c8644663ac0eb1b52b726068725ded3f9174e732cdf5b3d13ecebf0c3abd6', '\x83a7617474656d707401a6776f726b6572a177a565706f636865');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (36, 'telemetry-r2-1', 1, '2fc8f672-f8cb-4710-b270-2cf44dc1c805', 'MetricsRecorded', 1, 1795333072783989, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\xf06ba00f584b16ac8453b118f04a643867cbae424014adf7aa87e532c7eb797d', '\x85a46b65797392a46c6f7373a3616363a96b65795f696e646578c41000000100000001000100000000000100a473746570c44001000000000000000200000000000000030000000000000004000000000000000500000000000000060000000000000007000000000000000800000000000000a474696d65c44040420f000000000080841e0000000000c0c62d000000000000093d0000000000404b4c0000000000808d5b0000000000c0cf6a000000000000127a0000000000a576616c7565c440000000000000f07f355800662deb517e000000000000f0bf000000000000e03f000000000000f07f000000000000f0ff000000000000f87f000000000000f0bf');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (37, 'run-r2', 4, 'bfc2b8c1-fcd7-40d7-83d1-6c8f50c2b446', 'RunCheckpointed', 1, 1795333072788430, 1795262400000000, 'api:local', NULL, NULL, '\x7d5c8644663ac0eb1b52b726068725ded3f9174e732cdf5b3d13ecebf0c3abd6', '\x2639e80ce2b755f1d90e9c6318a70369fb2d34fbfed3c71d220c22495698097b', '\x86a7617474656d707401a47374657008a6646967657374a26338aa73697a655f627974657301a46c6f7373cb7e51eb2d66005835a6636f7665727382a776657273696f6e01a66f666673657400');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (38, 'run-r2', 5, 'a2049c4b-da5d-48e7-9f31-7a725abef4b3', 'RunPauseRequested', 1, 1795333072790754, 1795262400000000, 'api:local', NULL, NULL, '\x2639e80ce2b755f1d90e9c6318a70369fb2d34fbfed3c71d220c22495698097b', '\x1d977dd5e3d0acc96916cd312ebe2344d1bffca00660eab00459629f8dd57ec1', '\x81a6726561736f6ea0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (39, 'run-r0', 4, 'f61a8c68-6294-4dc9-948f-f40d094a3ed0', 'RunRenamed', 1, 1795333072796807, 1795262400000000, 'api:local', NULL, NULL, '\x6c0a8dbef2f5949333fd8628291795703f43e56eb32021750164405d664f2eef', '\xe6a3c3e0c40ff078c826217950d5d15af003de88fa07b8d92817ccfa737a7f66', '\x81a46e616d65a26e31');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (40, 'run-r2', 6, '2149c787-b26d-4eb1-b3a1-4989fcb74942', 'RunAttemptLost', 1, 1795333072801103, 1795262400000000, 'api:local', NULL, NULL, '\x1d977dd5e3d0acc96916cd312ebe2344d1bffca00660eab00459629f8dd57ec1', '\x35a4c84f084206caa28ef9c7c0685b345d0a012071ae9d09efad5504c2669f14', '\x83a7617474656d707401b16c6173745f6865617274626561745f6174c0ac726573756d655f706f696e7483a7617474656d707401a47374657008a6646967657374a26338');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (41, 'run-r2', 7, '2e5aa53f-6888-47e3-922c-c39369de7536', 'RunPaused', 1, 1795333072801103, 1795262400000000, 'api:local', NULL, NULL, '\x35a4c84f084206caa28ef9c7c0685b345d0a012071ae9d09efad5504c2669f14', '\xe745d5e95938d9b9addd3b5279f12e19ae1f619b63e59b9d63eca08f129783dc', '\x83a7617474656d707401a47374657008aa636865636b706f696e74a26338');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (42, 'run-r0', 5, '6d83745f-e41a-42cf-afc5-6676dfcb5a01', 'RunAttemptLost', 1, 1795333072804281, 1795262400000000, 'api:local', NULL, NULL, '\xe6a3c3e0c40ff078c826217950d5d15af003de88fa07b8d92817ccfa737a7f66', '\xe1aa21e4ae766308d3b8dbfe96e45af587a426df0f1e45821bedc00e7901ec61', '\x83a7617474656d707401b16c6173745f6865617274626561745f6174c0ac726573756d655f706f696e74c0');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (43, 'run-r0', 6, '401297c8-3cd7-4241-a64b-0c1072ad3980', 'RunFailed', 1, 1795333072804281, 1795262400000000, 'api:local', NULL, NULL, '\xe1aa21e4ae766308d3b8dbfe96e45af587a426df0f1e45821bedc00e7901ec61', '\x02e5d165b7e0d49f313d4ed642c04de1a3ba6f38a1966e1667799ce06d7e16d4', '\x85a7617474656d707401a6726561736f6eab776f726b65722d6c6f7374ab6572726f725f636c617373a0a76d657373616765bc6e6f7468696e67206d6f726520776173206865617264206f66206974aa6c6173745f6c696e657390');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (44, 'telemetry-r1-1', 1, 'e33df29d-9dca-4b91-8b24-4c07efac8142', 'LogsRecorded', 1, 1795333072808834, 1795262400000000, 'api:local', NULL, NULL, '\x0000000000000000000000000000000000000000000000000000000000000000', '\xe2859a945394963cd3ee0bc4b15e5ab67f3514e50633a2bfe6086f7ca422732c', '\x83a5737461727400aa73697a655f627974657350a6646967657374a26c30');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (45, 'telemetry-r1-1', 2, 'e4d29cb7-6dbc-4efa-95c6-9d564b878079', 'LogsRecorded', 1, 1795333072812094, 1795262400000000, 'api:local', NULL, NULL, '\xe2859a945394963cd3ee0bc4b15e5ab67f3514e50633a2bfe6086f7ca422732c', '\x4d5cdf4517a5e09baf166ff092a22dd4c1d7b035f9350bc0870da4c57cd81126', '\x83a5737461727450aa73697a655f627974657344a6646967657374a36c3830');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (46, 'telemetry-r1-1', 3, 'd35eff21-68c0-4a62-a562-56a62b87e39c', 'MetricsRecorded', 1, 1795333072816575, 1795262400000000, 'api:local', NULL, NULL, '\x4d5cdf4517a5e09baf166ff092a22dd4c1d7b035f9350bc0870da4c57cd81126', '\x1eec75a528b69c0e0eb153591ded9a5db5caa7360600e9b36557fb0f05e63ec4', '\x85a46b65797392a3616363a46c6f7373a96b65795f696e646578c40c000001000100010000000100a473746570c430010000000000000002000000000000000300000000000000040000000000000005000000000000000600000000000000a474696d65c43040420f000000000080841e0000000000c0c62d000000000000093d0000000000404b4c0000000000808d5b0000000000a576616c7565c430000000000000f0ff000000000000f0bf000000000000f0bf000000000000f87f000000000000f0ff000000000000d03f');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (47, 'run-r1', 3, '2c6e835f-1bd6-42b4-827c-4503bd081368', 'RunCheckpointed', 1, 1795333072820111, 1795262400000000, 'api:local', NULL, NULL, '\xb308fdfcd0c8a1ff605eadcedd81ecafd16e7b87797ee5b4a8cfd138f52fe4ab', '\xf0be6bca18750fe5887345eb241ef54b83afaf57e96d0c07a50e989e81bdf809', '\x86a7617474656d707401a47374657006a6646967657374a26336aa73697a655f627974657301a46c6f7373cb3fe0000000000000a6636f7665727382a776657273696f6e03a66f666673657401');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (48, 'telemetry-r1-1', 4, '789b7054-a47a-460b-9e16-fa59e0e65a76', 'LogsRecorded', 1, 1795333072829335, 1795262400000000, 'api:local', NULL, NULL, '\x1eec75a528b69c0e0eb153591ded9a5db5caa7360600e9b36557fb0f05e63ec4', '\x1aec36b4d244ff235e067914079aa7f2884724987362b184fe6ab366dc9436de', '\x83a57374617274cc94aa73697a655f627974657327a6646967657374a46c313438');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (49, 'run-r1', 4, '7e0c850e-a0ea-4e84-98fa-69e5f997b250', 'RunParamsRecorded', 1, 1795333072832214, 1795262400000000, 'api:local', NULL, NULL, '\xf0be6bca18750fe5887345eb241ef54b83afaf57e96d0c07a50e989e81bdf809', '\x18aa79e44f0bae39a8d5dc192c3063a37e902885e57de1dddcd580f9544d8427', '\x81a6706172616d7381a27031cb7ff8000000000000');
INSERT INTO ledger.events ("position", stream, version, event_id, type, schema, recorded_at, occurred_at, actor, correlation_id, causation_id, prev_hash, hash, payload) VALUES (50, 'run-r0', 7, 'e3d93047-8c64-4211-a5ca-4c9502a8a8eb', 'RunRenamed', 1, 1795333072835686, 1795262400000000, 'api:local', NULL, NULL, '\x02e5d165b7e0d49f313d4ed642c04de1a3ba6f38a1966e1667799ce06d7e16d4', '\x05f82cf01eb8a82249317853e648faf4dbba77cc5d8d98cedb35161a4286c167', '\x81a46e616d65a26e33');


--
-- Data for Name: head; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.head (id, "position", recorded_at) VALUES (1, 50, 1795333072835686);


--
-- Data for Name: idempotency_keys; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.idempotency_keys (holder, key, fingerprint, status, body, created_at) VALUES ('alice', 'k', 'p', 201, '\x7b2272756e5f6964223a227230222c226578706572696d656e745f6964223a226531227d', 1795333073001773);


--
-- Data for Name: leases; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.leases (stream, attempt, epoch, holder, expires_at, renewed_at, phase, done, total, progressed_at) VALUES ('sealer', 1, 1, NULL, 1795333087958646, 1795333072958676, NULL, NULL, NULL, 1795333072958676);
INSERT INTO ledger.leases (stream, attempt, epoch, holder, expires_at, renewed_at, phase, done, total, progressed_at) VALUES ('run-r0', 1, 1, 'w', 1795333088000027, 1795333073000033, NULL, NULL, NULL, 1795333073000034);


--
-- Data for Name: log_info; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.log_info (log_id, created_at) VALUES ('498013c04caf46789294ceb6399ac8b8', 1795333071963746);


--
-- Data for Name: sealing; Type: TABLE DATA; Schema: ledger; Owner: -
--



--
-- Data for Name: seals; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.seals (size, root, sealed_at, frontier, note) VALUES (50, '\x1d4ec0ca6339a445a35ccc44243b00e5ce3ef489791272fe758ec1bf9729d917', 1795333072965137, '\xfb2c1a4049642b24ebc5a7de78ca301b6bc69b2b18a0f7d537ce5a2f084d3c71824dd786c0bc54d16368c8b5ec11220cd778e491f57ee9b596507f3775c9a69ea766423724cbbe70361fecf6135946964d128158fe5157198d8c577aa3e0cfc3', '498013c04caf46789294ceb6399ac8b8
50
HU7AymM5pEWjXMxEJDsA5c4+9Il5EnL+dY7Bv5cp2Rc=
time 2026-11-22T07:37:52.965137Z
leaves mAugHpqovSxydRv8QTVZkBXPeKvxLmDwgHOP7cM+UASg91L1/b4aCPoW4HKn+lxERh0roKbzp5Z3mPNZyWtgrhiahYSMkKdkA/7nppFwbbHLFUD7CHc2WqF6HR7NKNtHRP6BtpZ4W6mqAAa+/ATsiGxjFRuvwKMmkRcwoBlucn5TK4QGyi2FfI7dwY+A5jUZ4MwYErv0Ls8y37W3Vr3p1ZvxLQF/kV72pUv9BMcOWDtYl8ZzpqvGhFlzh4DVKbsKhcIHc9ikDJdQ8XW69+CB+ovs97oLe5lAsWsiEAGdM2kY/idSpX1DEfjQ4i2rhfiLq4CLmKD+clhJ05rlka5vDr4Uckf7SXoahVP6LfJ6N5VaNAaTho9TmSCr+dXCQjOfkMXqwOTWzTC6iHCbW1jpvZGSqNSW0esR7FqGKjkRRGWNahDZb4iqHMbacJfiG4Qvab2BEogeHZNljxj7TleO+8tQSWPBKCZ30HVlVJz6liIyYbUQphuEGIVPxWgeUKVYsn8DI+uG6J3wohpXs9fG3exbRu63dnTJgsPfGailz766sNpuMEjvUi6TUxedRDr/I8PJvlbBXBo+WYWj2Lbp59Ija7BJtDqmb5y8qWC7eFU6U92ZIlU9STTDDQ/18yXonA3MF7f8A9f9QYuxLPMSsF6LmIDKl4uPMyfHUuYpTv38wUxMIfrwhFiFPzIomx2KDC/qrJSzJlBJ4k2dEA7dZjEPa2b+4fAFPUrcrZcIMQZBKDh/0x5dscpA/eWwnZrAfXG5qq+UQ/6OJSZppdnTiEgIz3JUM5eqe/mtswp0/zAUy8hSnHTKfR92NeIUWc1UDwfecXsa0enIncEXDg19EEkrzGv0673sQpJbXgWMaXAZhpicHXNxQJBOVa+muKKoj9Z2PWiAlPa+gasUdErX+sHYEY/mM2IjLY6jECSjK1yWraFCoDHn1YN0oLQWTlhtjW/mxXuXwRGKIJjtM4txbWoKULWEcL2R14hRg4kBHcQVhJn9C8D2Y8Ew16pz8jRowa+DlvOrGi2p3XrYeKj8ml6C5sYd9Wg1LbDPZt+NDoEXtEsI4CQcO472/O/8xDRx2SB43yPxkQXIXreeB7u2IbHSr1ywisi5L27BzAB/SlIb8TmJEO4QooH0rZ7CdOY27EcNfHsp4ep8cleyO8taEm8Ga0dhZ4VCDbxJG2jnJCIJ9H3N7F/0b1XiGtV3j/je3RReURKERAufHRjgYN9GmnkXqlL8QAwHwUFE1s/bgFofSiOb6plwf8yUkeLwqDVpzejEOpJOJxjQPyo3KD30w8dmvxMnkDe5dAjoobpjReR0NlWomx0S/NA21Sro8SebSjSWD3Qj8hOgTmC+bSDK7bRcZPeo6hTNSRr+Zq/LLU8NAA6SMX71+/tsW+kPNDfpwj1uBFV3o2ap5RdCGio5ruVSp4a1ZvjCoG0ZHtn2hflXisRa5VAw6wdZ8gyrv7SXvkyevEY/w616xwJzDZRHf9ehN6eoOoig8Daj25zVm6kk885MZB4oQWRA5VMeM3OGhzFzDJKWxtGh5hHxei9c9uGJTIZ3OsFnjVyKO6Iu8VzHfayjwP1xT/b52Hr8DimJ7+nO/p1XS7dX1g5QJph2nqMF4YDpVhiReDEbEb7+Jr357OOWTWqGWU32hlwNXzXHt+MPnNAZPvJEf2gVGwVU0LCaoBMh5mprB07lbiyxXWx2R0vCTfcWuorjXzBNOpsxAoc/+p/YUfCnvYMz/AMUyBM9tkgZG+nPyfv5v+V4YLcInwnGXDRVKtvnQ8pfPS5zh46UsUTueWMPMxwQ0vsWf9Z2LpP2XfjeBtl9xiZkOzg5/Htxq+yXKEtLVJBIYpGuhNqCtWe7CUj6VtJjhZLuvmIwy/yQ/2FpmnIRbw1G8Z8tcmNDKSMWbdyLAOLdN7zkEdx12qNkkcBEjWNjnxQoQTj9jbji7GG61iCAtQq29yAsUTRWw5eO+VX89qPyM8dVoY4H2S0qD9VQ4RUhXQ7uhJPWYMeYQukgZ6GxSP48ddcP+JdsQ3NXeotzxLPXyzagZOa38ZayJTI9xNDp7b3MtwXX4R/S7gnXi75y5iXsrRhJp62mZ95TGIZR3piMDPGAWrCtg3IVLJaTutMNAnlv4g==

— 498013c04caf46789294ceb6399ac8b8 pRLRrqdmf00PxXxzmeJdtykEW5H54KFfUHS5fsA6OiAswrYkIQnbBefamoHmrp9IXBpWMCOv332rLNGgwxmwc9w34wk=
');


--
-- Data for Name: workers; Type: TABLE DATA; Schema: ledger; Owner: -
--

INSERT INTO ledger.workers (worker_id, recipes, devices, labels, started_at, seen_at, state) VALUES ('w', '[]', '[]', '{}', 1795333073000994, 1795333073000997, 'idle');


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: api_tokens api_tokens_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.api_tokens
    ADD CONSTRAINT api_tokens_pkey PRIMARY KEY (digest);


--
-- Name: cursors cursors_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.cursors
    ADD CONSTRAINT cursors_pkey PRIMARY KEY (name);


--
-- Name: dispatches dispatches_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.dispatches
    ADD CONSTRAINT dispatches_pkey PRIMARY KEY (stream, attempt);


--
-- Name: events events_event_id; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.events
    ADD CONSTRAINT events_event_id UNIQUE (event_id);


--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.events
    ADD CONSTRAINT events_pkey PRIMARY KEY ("position");


--
-- Name: events events_stream_version; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.events
    ADD CONSTRAINT events_stream_version UNIQUE (stream, version);


--
-- Name: head head_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.head
    ADD CONSTRAINT head_pkey PRIMARY KEY (id);


--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (holder, key);


--
-- Name: leases leases_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (stream);


--
-- Name: log_info log_info_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.log_info
    ADD CONSTRAINT log_info_pkey PRIMARY KEY (log_id);


--
-- Name: sealing sealing_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.sealing
    ADD CONSTRAINT sealing_pkey PRIMARY KEY (id);


--
-- Name: seals seals_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.seals
    ADD CONSTRAINT seals_pkey PRIMARY KEY (size);


--
-- Name: workers workers_pkey; Type: CONSTRAINT; Schema: ledger; Owner: -
--

ALTER TABLE ONLY ledger.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (worker_id);


--
-- Name: dispatches_queue; Type: INDEX; Schema: ledger; Owner: -
--

CREATE INDEX dispatches_queue ON ledger.dispatches USING btree (state, priority DESC, "position");


--
-- Name: log_info_one_row; Type: INDEX; Schema: ledger; Owner: -
--

CREATE UNIQUE INDEX log_info_one_row ON ledger.log_info USING btree ((true));


--
-- Name: events events_refuse_change; Type: TRIGGER; Schema: ledger; Owner: -
--

CREATE TRIGGER events_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.events FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER events_refuse_change;


--
-- Name: log_info log_info_refuse_change; Type: TRIGGER; Schema: ledger; Owner: -
--

CREATE TRIGGER log_info_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.log_info FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

ALTER TABLE ledger.log_info ENABLE ALWAYS TRIGGER log_info_refuse_change;


--
-- Name: seals seals_refuse_change; Type: TRIGGER; Schema: ledger; Owner: -
--

CREATE TRIGGER seals_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.seals FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

ALTER TABLE ledger.seals ENABLE ALWAYS TRIGGER seals_refuse_change;


--
-- PostgreSQL database dump complete
--



