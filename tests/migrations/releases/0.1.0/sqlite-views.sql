CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE activations (
	projection TEXT NOT NULL, 
	version INTEGER NOT NULL, build INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (projection)
);
CREATE TABLE cursors (
	name TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE stoppages (
	cursor TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	event_id TEXT NOT NULL, 
	event_type TEXT NOT NULL, 
	problem TEXT NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	PRIMARY KEY (cursor)
);
CREATE TABLE experiments_v1 (
	experiment_id TEXT NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	position BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	archived BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	created_by TEXT NOT NULL, 
	PRIMARY KEY (experiment_id, valid_from)
);
CREATE TABLE run_artifacts_v1 (
	run_id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	attempt INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	media_type TEXT NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	PRIMARY KEY (run_id, path, valid_from)
);
CREATE TABLE run_attempts_v1 (
	run_id TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	worker TEXT NOT NULL, 
	epoch BIGINT NOT NULL, 
	resumed_from BLOB, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	ending TEXT, 
	environment BLOB, 
	PRIMARY KEY (run_id, attempt, valid_from)
);
CREATE TABLE run_checkpoints_v1 (
	run_id TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	step BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	position BIGINT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	loss DOUBLE, 
	covers_version BIGINT NOT NULL, 
	covers_offset BIGINT NOT NULL, 
	saved_at BIGINT NOT NULL, 
	deleted_at BIGINT, 
	deleted_by TEXT, 
	PRIMARY KEY (run_id, attempt, step, digest, valid_from)
);
CREATE TABLE run_params_v1 (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	value BLOB NOT NULL, 
	PRIMARY KEY (run_id, "key", valid_from)
);
CREATE TABLE run_states_v1 (
	run_id TEXT NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	position BIGINT NOT NULL, 
	experiment_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	status TEXT NOT NULL, 
	hidden BOOLEAN NOT NULL, 
	note TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	step BIGINT, 
	updated_at BIGINT NOT NULL, 
	started_at BIGINT, 
	ended_at BIGINT, 
	outcome BLOB, 
	PRIMARY KEY (run_id, valid_from)
);
CREATE TABLE run_tags_v1 (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (run_id, "key", valid_from)
);
CREATE TABLE runs_v1 (
	run_id TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	experiment_id TEXT NOT NULL, 
	requested_at BIGINT NOT NULL, 
	requested_by TEXT NOT NULL, 
	recipe TEXT NOT NULL, 
	priority BIGINT NOT NULL, 
	external BOOLEAN NOT NULL, 
	request BLOB NOT NULL, 
	PRIMARY KEY (run_id), 
	UNIQUE (position)
);
CREATE TABLE log_chunks_v1 (
	run_id TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	version BIGINT NOT NULL, 
	position BIGINT NOT NULL, 
	start BIGINT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	PRIMARY KEY (run_id, attempt, version)
);
CREATE TABLE evaluation_scores_v1 (
	evaluation_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	value DOUBLE NOT NULL, 
	PRIMARY KEY (evaluation_id, name, position)
);
CREATE TABLE evaluations_v1 (
	evaluation_id TEXT NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	position BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	run_id TEXT NOT NULL, 
	step BIGINT NOT NULL, 
	checkpoint TEXT NOT NULL, 
	benchmark_id TEXT NOT NULL, 
	status TEXT NOT NULL, 
	attempt INTEGER, 
	worker TEXT, 
	predictions TEXT, 
	items BIGINT, 
	scores BLOB, 
	error_class TEXT, 
	message TEXT, 
	superseded_by TEXT, 
	requested_at BIGINT NOT NULL, 
	requested_by TEXT NOT NULL, 
	ended_at BIGINT, 
	PRIMARY KEY (evaluation_id, valid_from)
);
CREATE TABLE datasets_v1 (
	digest TEXT NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	position BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	description TEXT NOT NULL, 
	registered_at BIGINT NOT NULL, 
	registered_by TEXT NOT NULL, 
	registered BLOB NOT NULL, 
	PRIMARY KEY (digest, valid_from)
);
CREATE TABLE benchmarks_v1 (
	benchmark_id TEXT NOT NULL, 
	valid_from BIGINT NOT NULL, 
	valid_to BIGINT NOT NULL, 
	position BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	dataset TEXT NOT NULL, 
	scorer TEXT NOT NULL, 
	scorer_version INTEGER NOT NULL, 
	direction TEXT NOT NULL, 
	tolerance DOUBLE NOT NULL, 
	baseline TEXT, 
	defined_at BIGINT NOT NULL, 
	defined_by TEXT NOT NULL, 
	PRIMARY KEY (benchmark_id, valid_from)
);
CREATE TABLE mlflow_sink (
	name TEXT NOT NULL, 
	url TEXT NOT NULL, 
	has_looked BOOLEAN NOT NULL, 
	is_reachable BOOLEAN NOT NULL, 
	problem TEXT NOT NULL, 
	checked_at BIGINT NOT NULL, 
	points BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE mlflow_runs (
	run_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	mlflow_experiment_id TEXT, 
	mlflow_run_id TEXT, 
	parent_run_id TEXT, 
	progress TEXT NOT NULL, 
	problem TEXT, 
	failures INTEGER NOT NULL, 
	retry_at BIGINT, 
	PRIMARY KEY (run_id)
);
CREATE TABLE metric_batches_v2 (
	run_id TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	version BIGINT NOT NULL, 
	position BIGINT NOT NULL, 
	payload BLOB NOT NULL, 
	PRIMARY KEY (run_id, attempt, version)
);
CREATE TABLE metric_segments_v2 (
	run_id TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	block BIGINT NOT NULL, 
	place INTEGER NOT NULL, 
	first_key TEXT NOT NULL, 
	last_key TEXT NOT NULL, 
	keys BLOB NOT NULL, 
	points BLOB NOT NULL, 
	PRIMARY KEY (run_id, attempt, block, place)
);
CREATE TABLE metric_attempts_v2 (
	run_id TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	position BIGINT NOT NULL, 
	resumed_attempt INTEGER, 
	resumed_step BIGINT, 
	resumed_digest TEXT, 
	PRIMARY KEY (run_id, attempt)
);
CREATE TABLE metric_checkpoints_v2 (
	run_id TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	attempt INTEGER NOT NULL, 
	step BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	covers_version BIGINT NOT NULL, 
	covers_offset BIGINT NOT NULL, 
	PRIMARY KEY (run_id, position)
);
CREATE TABLE metric_summaries_v2 (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	points BIGINT NOT NULL, 
	non_finite BIGINT NOT NULL, 
	last_value DOUBLE NOT NULL, 
	last_step BIGINT NOT NULL, 
	last_time BIGINT NOT NULL, 
	min_value DOUBLE, 
	min_step BIGINT, 
	max_value DOUBLE, 
	max_step BIGINT, 
	PRIMARY KEY (run_id, "key")
);
CREATE TABLE builds (
	projection TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	build INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	code TEXT NOT NULL, 
	tables TEXT NOT NULL, 
	PRIMARY KEY (projection, version, build)
);
INSERT INTO "activations" ("projection", "version", "build") VALUES ('experiments', 1, 0);
INSERT INTO "activations" ("projection", "version", "build") VALUES ('runs', 1, 0);
INSERT INTO "activations" ("projection", "version", "build") VALUES ('metrics', 2, 0);
INSERT INTO "activations" ("projection", "version", "build") VALUES ('logs', 1, 0);
INSERT INTO "activations" ("projection", "version", "build") VALUES ('evaluations', 1, 0);
INSERT INTO "activations" ("projection", "version", "build") VALUES ('datasets', 1, 0);
INSERT INTO "activations" ("projection", "version", "build") VALUES ('benchmarks', 1, 0);
INSERT INTO "alembic_version" ("version_num") VALUES ('views_0004');
INSERT INTO "benchmarks_v1" ("benchmark_id", "valid_from", "valid_to", "position", "version", "name", "dataset", "scorer", "scorer_version", "direction", "tolerance", "baseline", "defined_at", "defined_by") VALUES ('b1', 7, 8, 7, 1, 'b', 'd1', 'exact_match', 1, 'maximize', 0.0, NULL, 1795333071074625, 'api:local');
INSERT INTO "benchmarks_v1" ("benchmark_id", "valid_from", "valid_to", "position", "version", "name", "dataset", "scorer", "scorer_version", "direction", "tolerance", "baseline", "defined_at", "defined_by") VALUES ('b1', 8, 9, 7, 2, 'b', 'd1', 'exact_match', 1, 'maximize', 0.0, 'v1', 1795333071074625, 'api:local');
INSERT INTO "benchmarks_v1" ("benchmark_id", "valid_from", "valid_to", "position", "version", "name", "dataset", "scorer", "scorer_version", "direction", "tolerance", "baseline", "defined_at", "defined_by") VALUES ('b1', 9, 9223372036854775807, 7, 3, 'b', 'd1', 'exact_match', 1, 'maximize', 0.0, NULL, 1795333071074625, 'api:local');
INSERT INTO "cursors" ("name", "position") VALUES ('experiments@1', 50);
INSERT INTO "cursors" ("name", "position") VALUES ('runs@1', 50);
INSERT INTO "cursors" ("name", "position") VALUES ('metrics@2', 50);
INSERT INTO "cursors" ("name", "position") VALUES ('logs@1', 50);
INSERT INTO "cursors" ("name", "position") VALUES ('evaluations@1', 50);
INSERT INTO "cursors" ("name", "position") VALUES ('datasets@1', 50);
INSERT INTO "cursors" ("name", "position") VALUES ('benchmarks@1', 50);
INSERT INTO "datasets_v1" ("digest", "valid_from", "valid_to", "position", "version", "description", "registered_at", "registered_by", "registered") VALUES ('d1', 5, 6, 5, 1, '', 1795333071074251, 'api:local', X'86A46E616D65A164A6666F726D6174A474657874A56974656D7303AA73697A655F627974657309A6736F7572636583A46B696E64A967656E657261746564A967656E657261746F72AA61726974686D65746963A76F7074696F6E7381A47365656401AA7374617469737469637380');
INSERT INTO "datasets_v1" ("digest", "valid_from", "valid_to", "position", "version", "description", "registered_at", "registered_by", "registered") VALUES ('d1', 6, 9223372036854775807, 5, 2, 'made', 1795333071074251, 'api:local', X'86A46E616D65A164A6666F726D6174A474657874A56974656D7303AA73697A655F627974657309A6736F7572636583A46B696E64A967656E657261746564A967656E657261746F72AA61726974686D65746963A76F7074696F6E7381A47365656401AA7374617469737469637380');
INSERT INTO "evaluation_scores_v1" ("evaluation_id", "name", "position", "value") VALUES ('v0', 'exact_match', 14, 0.25);
INSERT INTO "evaluation_scores_v1" ("evaluation_id", "name", "position", "value") VALUES ('v1', 'exact_match', 20, 'nan');
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v0', 10, 11, 10, 1, 'r1', 1, 'c1', 'b1', 'queued', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333071074985, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v0', 11, 12, 10, 2, 'r1', 1, 'c1', 'b1', 'running', 1, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333071074985, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v0', 12, 13, 10, 3, 'r1', 1, 'c1', 'b1', 'queued', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333071074985, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v0', 13, 14, 10, 4, 'r1', 1, 'c1', 'b1', 'running', 2, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333071074985, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v0', 14, 15, 10, 5, 'r1', 1, 'c1', 'b1', 'completed', 2, 'w', 'p', 3, X'9186A46E616D65AB65786163745F6D61746368A576616C7565CB3FD0000000000000A36C6F77C0A468696768C0A5636F756E7403A8756E73636F72656400', NULL, NULL, NULL, 1795333071074985, 'worker:w', 1795333071075400);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v0', 15, 9223372036854775807, 10, 6, 'r1', 1, 'c1', 'b1', 'superseded', 2, 'w', 'p', 3, X'9186A46E616D65AB65786163745F6D61746368A576616C7565CB3FD0000000000000A36C6F77C0A468696768C0A5636F756E7403A8756E73636F72656400', NULL, NULL, 'v9', 1795333071074985, 'worker:w', 1795333071075400);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v1', 16, 17, 16, 1, 'r1', 1, 'c1', 'b1', 'queued', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333071076233, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v1', 17, 18, 16, 2, 'r1', 1, 'c1', 'b1', 'running', 1, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333071076233, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v1', 18, 19, 16, 3, 'r1', 1, 'c1', 'b1', 'queued', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333071076233, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v1', 19, 20, 16, 4, 'r1', 1, 'c1', 'b1', 'running', 2, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333071076233, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v1', 20, 21, 16, 5, 'r1', 1, 'c1', 'b1', 'completed', 2, 'w', 'p', 3, X'9186A46E616D65AB65786163745F6D61746368A576616C7565CB7FF8000000000000A36C6F77C0A468696768C0A5636F756E7403A8756E73636F72656400', NULL, NULL, NULL, 1795333071076233, 'worker:w', 1795333071079641);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v1', 21, 9223372036854775807, 16, 6, 'r1', 1, 'c1', 'b1', 'superseded', 2, 'w', 'p', 3, X'9186A46E616D65AB65786163745F6D61746368A576616C7565CB7FF8000000000000A36C6F77C0A468696768C0A5636F756E7403A8756E73636F72656400', NULL, NULL, 'v9', 1795333071076233, 'worker:w', 1795333071079641);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v2', 22, 23, 22, 1, 'r1', 1, 'c1', 'b1', 'queued', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333071091754, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v2', 23, 24, 22, 2, 'r1', 1, 'c1', 'b1', 'running', 1, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333071091754, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v2', 24, 25, 22, 3, 'r1', 1, 'c1', 'b1', 'queued', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795333071091754, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v2', 25, 26, 22, 4, 'r1', 1, 'c1', 'b1', 'running', 2, 'w', NULL, NULL, NULL, NULL, NULL, NULL, 1795333071091754, 'worker:w', NULL);
INSERT INTO "evaluations_v1" ("evaluation_id", "valid_from", "valid_to", "position", "version", "run_id", "step", "checkpoint", "benchmark_id", "status", "attempt", "worker", "predictions", "items", "scores", "error_class", "message", "superseded_by", "requested_at", "requested_by", "ended_at") VALUES ('v2', 26, 9223372036854775807, 22, 5, 'r1', 1, 'c1', 'b1', 'failed', 2, 'w', NULL, NULL, NULL, 'ValueError', 'no', NULL, 1795333071091754, 'worker:w', 1795333071095673);
INSERT INTO "experiments_v1" ("experiment_id", "valid_from", "valid_to", "position", "version", "name", "description", "archived", "created_at", "created_by") VALUES ('e1', 1, 2, 1, 1, 'one', 'first', 0, 1795333071073246, 'api:local');
INSERT INTO "experiments_v1" ("experiment_id", "valid_from", "valid_to", "position", "version", "name", "description", "archived", "created_at", "created_by") VALUES ('e1', 2, 3, 1, 2, 'uno', 'first', 0, 1795333071073246, 'api:local');
INSERT INTO "experiments_v1" ("experiment_id", "valid_from", "valid_to", "position", "version", "name", "description", "archived", "created_at", "created_by") VALUES ('e1', 3, 4, 1, 3, 'uno', 'first', 1, 1795333071073246, 'api:local');
INSERT INTO "experiments_v1" ("experiment_id", "valid_from", "valid_to", "position", "version", "name", "description", "archived", "created_at", "created_by") VALUES ('e1', 4, 9223372036854775807, 1, 4, 'uno', 'first', 0, 1795333071073246, 'api:local');
INSERT INTO "log_chunks_v1" ("run_id", "attempt", "version", "position", "start", "size_bytes", "digest") VALUES ('r1', 1, 1, 44, 0, 80, 'l0');
INSERT INTO "log_chunks_v1" ("run_id", "attempt", "version", "position", "start", "size_bytes", "digest") VALUES ('r1', 1, 2, 45, 80, 68, 'l80');
INSERT INTO "log_chunks_v1" ("run_id", "attempt", "version", "position", "start", "size_bytes", "digest") VALUES ('r1', 1, 4, 48, 148, 39, 'l148');
INSERT INTO "metric_attempts_v2" ("run_id", "attempt", "position", "resumed_attempt", "resumed_step", "resumed_digest") VALUES ('r1', 1, 30, NULL, NULL, NULL);
INSERT INTO "metric_attempts_v2" ("run_id", "attempt", "position", "resumed_attempt", "resumed_step", "resumed_digest") VALUES ('r0', 1, 31, NULL, NULL, NULL);
INSERT INTO "metric_attempts_v2" ("run_id", "attempt", "position", "resumed_attempt", "resumed_step", "resumed_digest") VALUES ('r2', 1, 34, NULL, NULL, NULL);
INSERT INTO "metric_batches_v2" ("run_id", "attempt", "version", "position", "payload") VALUES ('r0', 1, 1, 33, X'85A46B65797392A46C6F7373A3616363A96B65795F696E646578C40400000100A473746570C41001000000000000000200000000000000A474696D65C41040420F000000000080841E0000000000A576616C7565C410000000000000F07F000000000000E03F');
INSERT INTO "metric_batches_v2" ("run_id", "attempt", "version", "position", "payload") VALUES ('r2', 1, 1, 36, X'85A46B65797392A46C6F7373A3616363A96B65795F696E646578C41000000100000001000100000000000100A473746570C44001000000000000000200000000000000030000000000000004000000000000000500000000000000060000000000000007000000000000000800000000000000A474696D65C44040420F000000000080841E0000000000C0C62D000000000000093D0000000000404B4C0000000000808D5B0000000000C0CF6A000000000000127A0000000000A576616C7565C440000000000000F07F355800662DEB517E000000000000F0BF000000000000E03F000000000000F07F000000000000F0FF000000000000F87F000000000000F0BF');
INSERT INTO "metric_batches_v2" ("run_id", "attempt", "version", "position", "payload") VALUES ('r1', 1, 3, 46, X'85A46B65797392A3616363A46C6F7373A96B65795F696E646578C40C000001000100010000000100A473746570C430010000000000000002000000000000000300000000000000040000000000000005000000000000000600000000000000A474696D65C43040420F000000000080841E0000000000C0C62D000000000000093D0000000000404B4C0000000000808D5B0000000000A576616C7565C430000000000000F0FF000000000000F0BF000000000000F0BF000000000000F87F000000000000F0FF000000000000D03F');
INSERT INTO "metric_checkpoints_v2" ("run_id", "position", "attempt", "step", "digest", "covers_version", "covers_offset") VALUES ('r2', 37, 1, 8, 'c8', 1, 0);
INSERT INTO "metric_checkpoints_v2" ("run_id", "position", "attempt", "step", "digest", "covers_version", "covers_offset") VALUES ('r1', 47, 1, 6, 'c6', 3, 1);
INSERT INTO "metric_summaries_v2" ("run_id", "key", "points", "non_finite", "last_value", "last_step", "last_time", "min_value", "min_step", "max_value", "max_step") VALUES ('r0', 'acc', 1, 0, 0.5, 2, 2000000, 0.5, 2, 0.5, 2);
INSERT INTO "metric_summaries_v2" ("run_id", "key", "points", "non_finite", "last_value", "last_step", "last_time", "min_value", "min_step", "max_value", "max_step") VALUES ('r0', 'loss', 1, 1, 9e999, 1, 1000000, NULL, NULL, NULL, NULL);
INSERT INTO "metric_summaries_v2" ("run_id", "key", "points", "non_finite", "last_value", "last_step", "last_time", "min_value", "min_step", "max_value", "max_step") VALUES ('r2', 'acc', 4, 1, -1.0, 8, 8000000, -1.0, 8, 3.0e+300, 2);
INSERT INTO "metric_summaries_v2" ("run_id", "key", "points", "non_finite", "last_value", "last_step", "last_time", "min_value", "min_step", "max_value", "max_step") VALUES ('r2', 'loss', 4, 3, 'nan', 7, 7000000, -1.0, 3, -1.0, 3);
INSERT INTO "metric_summaries_v2" ("run_id", "key", "points", "non_finite", "last_value", "last_step", "last_time", "min_value", "min_step", "max_value", "max_step") VALUES ('r1', 'acc', 2, 2, -9e999, 5, 5000000, NULL, NULL, NULL, NULL);
INSERT INTO "metric_summaries_v2" ("run_id", "key", "points", "non_finite", "last_value", "last_step", "last_time", "min_value", "min_step", "max_value", "max_step") VALUES ('r1', 'loss', 4, 1, 0.25, 6, 6000000, -1.0, 2, 0.25, 6);
INSERT INTO "mlflow_runs" ("run_id", "revision", "mlflow_experiment_id", "mlflow_run_id", "parent_run_id", "progress", "problem", "failures", "retry_at") VALUES ('r0', 1, '1', 'm0', NULL, '{"name":"r0"}', NULL, 0, NULL);
INSERT INTO "mlflow_sink" ("name", "url", "has_looked", "is_reachable", "problem", "checked_at", "points") VALUES ('sink-mlflow', 'http://mlflow', 1, 0, 'away', 1767225600000000, 0);
INSERT INTO "run_attempts_v1" ("run_id", "attempt", "valid_from", "valid_to", "worker", "epoch", "resumed_from", "started_at", "ended_at", "ending", "environment") VALUES ('r1', 1, 30, 9223372036854775807, 'w', 1, NULL, 1795333071108841, NULL, NULL, NULL);
INSERT INTO "run_attempts_v1" ("run_id", "attempt", "valid_from", "valid_to", "worker", "epoch", "resumed_from", "started_at", "ended_at", "ending", "environment") VALUES ('r0', 1, 31, 32, 'w', 1, NULL, 1795262400000000, NULL, NULL, NULL);
INSERT INTO "run_attempts_v1" ("run_id", "attempt", "valid_from", "valid_to", "worker", "epoch", "resumed_from", "started_at", "ended_at", "ending", "environment") VALUES ('r0', 1, 32, 42, 'w', 1, NULL, 1795262400000000, NULL, NULL, X'8BA7617474656D707401A876657273696F6E7381A36A6178A130A76465766963657391A3637075A5666C61677380A473656564C0AD636F64655F7265766973696F6EC0B0636F64655F646966665F646967657374C0AB6C6F636B5F646967657374C0AE646174617365745F646967657374C0A6726573756D65C0A76368616E67656490');
INSERT INTO "run_attempts_v1" ("run_id", "attempt", "valid_from", "valid_to", "worker", "epoch", "resumed_from", "started_at", "ended_at", "ending", "environment") VALUES ('r2', 1, 34, 35, 'w', 1, NULL, 1795262400000000, NULL, NULL, NULL);
INSERT INTO "run_attempts_v1" ("run_id", "attempt", "valid_from", "valid_to", "worker", "epoch", "resumed_from", "started_at", "ended_at", "ending", "environment") VALUES ('r2', 1, 35, 40, 'w', 101, NULL, 1795262400000000, NULL, NULL, NULL);
INSERT INTO "run_attempts_v1" ("run_id", "attempt", "valid_from", "valid_to", "worker", "epoch", "resumed_from", "started_at", "ended_at", "ending", "environment") VALUES ('r2', 1, 40, 9223372036854775807, 'w', 101, NULL, 1795262400000000, 1795262400000000, 'lost', NULL);
INSERT INTO "run_attempts_v1" ("run_id", "attempt", "valid_from", "valid_to", "worker", "epoch", "resumed_from", "started_at", "ended_at", "ending", "environment") VALUES ('r0', 1, 42, 9223372036854775807, 'w', 1, NULL, 1795262400000000, 1795262400000000, 'lost', X'8BA7617474656D707401A876657273696F6E7381A36A6178A130A76465766963657391A3637075A5666C61677380A473656564C0AD636F64655F7265766973696F6EC0B0636F64655F646966665F646967657374C0AB6C6F636B5F646967657374C0AE646174617365745F646967657374C0A6726573756D65C0A76368616E67656490');
INSERT INTO "run_checkpoints_v1" ("run_id", "attempt", "step", "digest", "valid_from", "valid_to", "position", "size_bytes", "loss", "covers_version", "covers_offset", "saved_at", "deleted_at", "deleted_by") VALUES ('r2', 1, 8, 'c8', 37, 9223372036854775807, 37, 1, 3.0e+300, 1, 0, 1795262400000000, NULL, NULL);
INSERT INTO "run_checkpoints_v1" ("run_id", "attempt", "step", "digest", "valid_from", "valid_to", "position", "size_bytes", "loss", "covers_version", "covers_offset", "saved_at", "deleted_at", "deleted_by") VALUES ('r1', 1, 6, 'c6', 47, 9223372036854775807, 47, 1, 0.5, 3, 1, 1795333071191992, NULL, NULL);
INSERT INTO "run_params_v1" ("run_id", "key", "valid_from", "valid_to", "value") VALUES ('r0', 'seed', 27, 9223372036854775807, X'01');
INSERT INTO "run_params_v1" ("run_id", "key", "valid_from", "valid_to", "value") VALUES ('r1', 'seed', 28, 9223372036854775807, X'07');
INSERT INTO "run_params_v1" ("run_id", "key", "valid_from", "valid_to", "value") VALUES ('r2', 'seed', 29, 9223372036854775807, X'03');
INSERT INTO "run_params_v1" ("run_id", "key", "valid_from", "valid_to", "value") VALUES ('r1', 'p1', 49, 9223372036854775807, X'CB7FF8000000000000');
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r0', 27, 31, 1, 27, 'e2', 'r0', 'queued', 0, '', 1, NULL, 1795333071100441, NULL, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r1', 28, 30, 1, 28, 'e2', 'r1', 'queued', 0, '', 1, NULL, 1795333071103710, NULL, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r2', 29, 34, 1, 29, 'e1', 'r2', 'queued', 0, '', 1, NULL, 1795333071107780, NULL, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r1', 30, 47, 2, 28, 'e2', 'r1', 'running', 0, '', 1, NULL, 1795333071108841, 1795333071108841, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r0', 31, 32, 2, 27, 'e2', 'r0', 'running', 0, '', 1, NULL, 1795333071112031, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r0', 32, 39, 3, 27, 'e2', 'r0', 'running', 0, '', 1, NULL, 1795333071116013, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r2', 34, 35, 2, 29, 'e1', 'r2', 'running', 0, '', 1, NULL, 1795333071123832, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r2', 35, 37, 3, 29, 'e1', 'r2', 'running', 0, '', 1, NULL, 1795333071128279, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r2', 37, 38, 4, 29, 'e1', 'r2', 'running', 0, '', 1, 8, 1795333071135413, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r2', 38, 40, 5, 29, 'e1', 'r2', 'pausing', 0, '', 1, 8, 1795333071144192, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r0', 39, 42, 4, 27, 'e2', 'n1', 'running', 0, '', 1, NULL, 1795333071148252, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r2', 40, 41, 6, 29, 'e1', 'r2', 'pausing', 0, '', 1, 8, 1795333071152290, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r2', 41, 9223372036854775807, 7, 29, 'e1', 'r2', 'paused', 0, '', 1, 8, 1795333071152290, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r0', 42, 43, 5, 27, 'e2', 'n1', 'running', 0, '', 1, NULL, 1795333071159202, 1795262400000000, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r0', 43, 50, 6, 27, 'e2', 'n1', 'failed', 0, '', 1, NULL, 1795333071159202, 1795262400000000, 1795262400000000, X'85A7617474656D707401A6726561736F6EAB776F726B65722D6C6F7374AB6572726F725F636C617373A0A76D657373616765BC6E6F7468696E67206D6F726520776173206865617264206F66206974AA6C6173745F6C696E657390');
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r1', 47, 49, 3, 28, 'e2', 'r1', 'running', 0, '', 1, 6, 1795333071191992, 1795333071108841, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r1', 49, 9223372036854775807, 4, 28, 'e2', 'r1', 'running', 0, '', 1, 6, 1795333071208079, 1795333071108841, NULL, NULL);
INSERT INTO "run_states_v1" ("run_id", "valid_from", "valid_to", "version", "position", "experiment_id", "name", "status", "hidden", "note", "attempt", "step", "updated_at", "started_at", "ended_at", "outcome") VALUES ('r0', 50, 9223372036854775807, 7, 27, 'e2', 'n3', 'failed', 0, '', 1, NULL, 1795333071212065, 1795262400000000, 1795262400000000, X'85A7617474656D707401A6726561736F6EAB776F726B65722D6C6F7374AB6572726F725F636C617373A0A76D657373616765BC6E6F7468696E67206D6F726520776173206865617264206F66206974AA6C6173745F6C696E657390');
INSERT INTO "run_tags_v1" ("run_id", "key", "valid_from", "valid_to", "value") VALUES ('r0', 'first', 27, 9223372036854775807, '1');
INSERT INTO "run_tags_v1" ("run_id", "key", "valid_from", "valid_to", "value") VALUES ('r1', 'first', 28, 9223372036854775807, '1');
INSERT INTO "run_tags_v1" ("run_id", "key", "valid_from", "valid_to", "value") VALUES ('r2', 'first', 29, 9223372036854775807, '1');
INSERT INTO "runs_v1" ("run_id", "position", "experiment_id", "requested_at", "requested_by", "recipe", "priority", "external", "request") VALUES ('r0', 27, 'e2', 1795262400000000, 'api:local', 'lm', 0, 1, X'8BAD6578706572696D656E745F6964A26532A46E616D65A27230A47370656384A6726563697065A26C6DA776657273696F6E01A6646967657374A164A676616C75657381A47365656401A47461677381A56669727374A131A87072696F7269747900A66C696D69747383A8617474656D70747304AC77616C6C5F7365636F6E6473C0B36E6F5F70726F67726573735F7365636F6E6473CB4082C00000000000A664657669636583A46B696E64A3616E79A5636F756E7401AC6D656D6F72795F627974657300AD776F726B65725F6C6162656C7380AB666F726B65645F66726F6DC0A865787465726E616CC3AC7265717565737465645F6279A96170693A6C6F63616C');
INSERT INTO "runs_v1" ("run_id", "position", "experiment_id", "requested_at", "requested_by", "recipe", "priority", "external", "request") VALUES ('r1', 28, 'e2', 1795333071103710, 'api:local', 'lm', 0, 0, X'8BAD6578706572696D656E745F6964A26532A46E616D65A27231A47370656384A6726563697065A26C6DA776657273696F6E01A6646967657374A164A676616C75657381A47365656407A47461677381A56669727374A131A87072696F7269747900A66C696D69747383A8617474656D70747304AC77616C6C5F7365636F6E6473C0B36E6F5F70726F67726573735F7365636F6E6473CB4082C00000000000A664657669636583A46B696E64A3616E79A5636F756E7401AC6D656D6F72795F627974657300AD776F726B65725F6C6162656C7380AB666F726B65645F66726F6DC0A865787465726E616CC2AC7265717565737465645F6279A96170693A6C6F63616C');
INSERT INTO "runs_v1" ("run_id", "position", "experiment_id", "requested_at", "requested_by", "recipe", "priority", "external", "request") VALUES ('r2', 29, 'e1', 1795262400000000, 'api:local', 'lm', 0, 1, X'8BAD6578706572696D656E745F6964A26531A46E616D65A27232A47370656384A6726563697065A26C6DA776657273696F6E01A6646967657374A164A676616C75657381A47365656403A47461677381A56669727374A131A87072696F7269747900A66C696D69747383A8617474656D70747304AC77616C6C5F7365636F6E6473C0B36E6F5F70726F67726573735F7365636F6E6473CB4082C00000000000A664657669636583A46B696E64A3616E79A5636F756E7401AC6D656D6F72795F627974657300AD776F726B65725F6C6162656C7380AB666F726B65645F66726F6DC0A865787465726E616CC3AC7265717565737465645F6279A96170693A6C6F63616C');
CREATE INDEX experiments_v1_newest ON experiments_v1 (valid_to, position);
CREATE INDEX run_states_v1_experiment ON run_states_v1 (experiment_id, valid_to, position);
CREATE INDEX run_states_v1_newest ON run_states_v1 (valid_to, position);
CREATE INDEX run_states_v1_status ON run_states_v1 (status, valid_to, position);
CREATE INDEX evaluation_scores_v1_best ON evaluation_scores_v1 (name, value);
CREATE INDEX evaluations_v1_benchmark ON evaluations_v1 (benchmark_id, valid_to, position);
CREATE INDEX evaluations_v1_newest ON evaluations_v1 (valid_to, position);
CREATE INDEX evaluations_v1_run ON evaluations_v1 (run_id, valid_to, position);
CREATE INDEX datasets_v1_newest ON datasets_v1 (valid_to, position);
CREATE INDEX benchmarks_v1_name ON benchmarks_v1 (name, valid_to);
CREATE INDEX benchmarks_v1_newest ON benchmarks_v1 (valid_to, position);
CREATE INDEX mlflow_runs_parent ON mlflow_runs (parent_run_id);
CREATE INDEX mlflow_runs_retry ON mlflow_runs (retry_at);
CREATE INDEX metric_segments_v2_keys ON metric_segments_v2 (run_id, last_key, first_key);
CREATE INDEX metric_summaries_v2_last ON metric_summaries_v2 ("key", last_value);
