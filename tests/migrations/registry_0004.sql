BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE api_keys (
	key_id VARCHAR(32) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	secret_sha256 VARCHAR(64) NOT NULL, 
	scopes JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME, 
	revoked_at DATETIME, 
	CONSTRAINT pk_api_keys PRIMARY KEY (key_id), 
	CONSTRAINT uq_api_keys_secret_sha256 UNIQUE (secret_sha256)
);
CREATE TABLE decisions (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	decision_id VARCHAR(32) NOT NULL, 
	created_at DATETIME NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	verdict VARCHAR(32) NOT NULL, 
	writer_id VARCHAR(64), 
	operating_point VARCHAR(64), 
	score DOUBLE, 
	log_lr DOUBLE, 
	threshold DOUBLE, 
	non_match_threshold DOUBLE, 
	model_id VARCHAR(64) NOT NULL, 
	reference_ids JSON NOT NULL, 
	candidates JSON, 
	probe_sha256 VARCHAR(64) NOT NULL, 
	caller VARCHAR(200) NOT NULL, 
	previous_sha256 VARCHAR(64) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	CONSTRAINT uq_decisions_decision_id UNIQUE (decision_id), 
	CONSTRAINT ck_decisions_kind CHECK (kind IN ('verify', 'identify'))
);
INSERT INTO "decisions" VALUES(1,'6e24a6570a3a4bf78e405595a5001f0b','2026-12-01 10:48:40.352116','verify','match','C-1','fmr_skilled=1%',0.4471,1.81291335664285568896e+00,3.33333333333333314829e-01,0.1,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c','[1, 2, 3]',NULL,'3fad5d3b01509cb30b5909613190772f9d67876540f3c37cbcb4ae3027de35c5','anonymous','0000000000000000000000000000000000000000000000000000000000000000','0e84656b19540b4e4650ec0f7ecd0ee0d123073afe13bf9b689636051fcdde60');
INSERT INTO "decisions" VALUES(2,'9d183c7bee1b4761ae01b614d354d3b9','2026-12-01 10:48:40.353002','verify','inconclusive','C-1','fmr_skilled=1%',3.00000000000000044408e-01,-1.5e-07,3.33333333333333314829e-01,0.1,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c','[1, 2, 3]',NULL,'f2a8a8f812beea2a50a6777eb501fcf9a1ac952ce7ed2499b08a86fda8804488','Zoë 李','0e84656b19540b4e4650ec0f7ecd0ee0d123073afe13bf9b689636051fcdde60','b905cb081be7e936c98ac7b64d1de2f5f97f8e428666885f1a301c23f602aef3');
INSERT INTO "decisions" VALUES(3,'6a3aa0596f2f4e8ea41cb7f18a79f930','2026-12-01 10:48:40.353396','verify','non_match','C-1','fmr_random=0.1%',-1.0,-2.0,3.33333333333333314829e-01,0.0,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c','[1, 2, 3]',NULL,'51d72004363a42c52fd863f321d66e862524d106228382ebcdae1029fbca0dcc','anonymous','b905cb081be7e936c98ac7b64d1de2f5f97f8e428666885f1a301c23f602aef3','6abfc46e1757c7d5923d99127c6dcea42032059f169c992b5c06a877acef52cc');
INSERT INTO "decisions" VALUES(4,'81e7283e060a4520b572e52f5ab81df4','2026-12-01 10:48:40.353793','identify','identified','C-2',NULL,0.75,NULL,6.18033988749894902525e-01,NULL,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c','[4, 1]','[{"writer_id": "C-2", "score": 0.75, "reference_id": 4}, {"writer_id": "C-1", "score": 0.30000000000000004, "reference_id": 1}]','b29162a7decf7ceb5efa856cbe826ccef7615acc1a08e318dc5398bdd9922f86','clerk','6abfc46e1757c7d5923d99127c6dcea42032059f169c992b5c06a877acef52cc','360cfd03711761093e6866abf74d8d16096db85226e7bd0e0c7af3d638397132');
INSERT INTO "decisions" VALUES(5,'11f6136cda2e4dc99901578106059900','2026-12-01 10:48:40.354177','identify','not_enrolled',NULL,NULL,1.42857142857142849212e-01,NULL,6.18033988749894902525e-01,NULL,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c','[6]','[{"writer_id": "C-3", "score": 0.14285714285714285, "reference_id": 6}]','fb0e2f99f7408948dd04ae358b43e4d4109ba7414249881e42acb85c03c1b816','clerk','360cfd03711761093e6866abf74d8d16096db85226e7bd0e0c7af3d638397132','31a16fa6c220c1b341309f232af15aa641ed4b3f643a2e7c22a60c696b7911bc');
INSERT INTO "decisions" VALUES(6,'4a5429983f9b4e2cb0d0ce02c60eaa99','2026-12-01 10:48:40.354580','identify','not_enrolled',NULL,NULL,NULL,NULL,1.0e-17,NULL,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c','[]','[]','a04e0d8094d3552a62e36ce0f7fcbc5899d93ee87132706b2fd7b877686b0e11','clerk','31a16fa6c220c1b341309f232af15aa641ed4b3f643a2e7c22a60c696b7911bc','ec06cb988fa2e2bc530b577c66f45a93d6f5a36a439eda3af054fd221d231eac');
INSERT INTO "decisions" VALUES(7,'eb70f14581d04e38b0e68b48c74da7f8','2026-12-01 10:48:40.357912','verify','inconclusive','C-2','fmr_skilled=1%',1.64033154432860955873e-01,1.20367510148771073019e+00,3.33333333333333314829e-01,0.1,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c','[4]',NULL,'5908876d4211a23180f92609a3b4251cb702c5f334d652329beba222ade08681','anonymous','ec06cb988fa2e2bc530b577c66f45a93d6f5a36a439eda3af054fd221d231eac','241b4d93c556ad39c6cb6652179ddf20b61ecb6c4df902e8cfff53033b58053a');
CREATE TABLE embeddings (
	reference_id INTEGER NOT NULL, 
	model_id VARCHAR(64) NOT NULL, 
	vector BLOB NOT NULL, pieces BLOB, 
	CONSTRAINT pk_embeddings PRIMARY KEY (reference_id, model_id), 
	CONSTRAINT fk_embeddings_reference_id_signature_references FOREIGN KEY(reference_id) REFERENCES signature_references (reference_id) ON DELETE CASCADE, 
	CONSTRAINT fk_embeddings_model_id_models FOREIGN KEY(model_id) REFERENCES models (model_id)
);
INSERT INTO "embeddings" VALUES(1,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c',X'DA625B3E7565023F35C5513EDFD14EBF',X'7069656365732031');
INSERT INTO "embeddings" VALUES(2,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c',X'F190983DDCED52BED7AB26BE7F4876BF',X'7069656365732032');
INSERT INTO "embeddings" VALUES(3,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c',X'5E291C3F2B8C43BF81EDFF3DB5C52DBE',X'7069656365732033');
INSERT INTO "embeddings" VALUES(4,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c',X'287DAEBE8D17BBBDF0B15E3F5375B03E',X'7069656365732034');
CREATE TABLE idempotency_keys (
	caller VARCHAR(200) NOT NULL, 
	idempotency_key VARCHAR(200) NOT NULL, 
	request_sha256 VARCHAR(64) NOT NULL, 
	writer_id VARCHAR(64), 
	status INTEGER, 
	body BLOB, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_idempotency_keys PRIMARY KEY (caller, idempotency_key)
);
CREATE TABLE model_files (
	model_id VARCHAR(64) NOT NULL, 
	manifest BLOB NOT NULL, 
	network BLOB NOT NULL, 
	CONSTRAINT pk_model_files PRIMARY KEY (model_id), 
	CONSTRAINT fk_model_files_model_id_models FOREIGN KEY(model_id) REFERENCES models (model_id)
);
CREATE TABLE model_switches (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	model_id VARCHAR(64) NOT NULL, 
	switched_at DATETIME NOT NULL, 
	caller VARCHAR(200) NOT NULL, 
	CONSTRAINT fk_model_switches_model_id_models FOREIGN KEY(model_id) REFERENCES models (model_id)
);
INSERT INTO "model_switches" VALUES(1,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c','2026-12-01 10:48:40.336619','Zoë 李');
CREATE TABLE models (
	model_id VARCHAR(64) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	dimension INTEGER NOT NULL, 
	writer_count BIGINT NOT NULL, 
	reference_count BIGINT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (model_id)
);
INSERT INTO "models" VALUES('97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c','synthetic',4,2,4,'2026-12-01 10:48:40.334011');
CREATE TABLE registry (
	registry_id VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_registry PRIMARY KEY (registry_id)
);
INSERT INTO "registry" VALUES('66e9f0a4163e4345ad1e218bb4ebe363');
CREATE TABLE revisions (
	revision INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	mark BIGINT NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	reference_id BIGINT NOT NULL, 
	model_id VARCHAR(64), 
	CONSTRAINT ck_revisions_kind CHECK ((kind = 'put' AND model_id IS NOT NULL) OR (kind = 'erase' AND model_id IS NULL))
);
INSERT INTO "revisions" VALUES(1,525704581164124725,'put',1,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c');
INSERT INTO "revisions" VALUES(2,525704581164124725,'put',2,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c');
INSERT INTO "revisions" VALUES(3,525704581164124725,'put',3,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c');
INSERT INTO "revisions" VALUES(4,3909137930421854457,'put',4,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c');
INSERT INTO "revisions" VALUES(5,2782278495716672788,'put',5,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c');
INSERT INTO "revisions" VALUES(6,2782278495716672788,'put',6,'97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c');
INSERT INTO "revisions" VALUES(7,6917749281177562859,'erase',6,NULL);
INSERT INTO "revisions" VALUES(8,6917749281177562859,'erase',5,NULL);
CREATE TABLE shared_indexes (
	model_id VARCHAR(64) NOT NULL, 
	address TEXT NOT NULL, 
	collection VARCHAR(255), 
	revision BIGINT NOT NULL, 
	mark BIGINT NOT NULL, 
	fence BIGINT NOT NULL, 
	expires_at_s DOUBLE NOT NULL, 
	CONSTRAINT pk_shared_indexes PRIMARY KEY (model_id, address)
);
CREATE TABLE signature_references (
	reference_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	writer_id VARCHAR(64) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	media_type VARCHAR(64) NOT NULL, 
	filename TEXT, 
	quality JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	cleaned_png BLOB NOT NULL, 
	image BLOB NOT NULL, 
	CONSTRAINT uq_signature_references_writer_id_sha256 UNIQUE (writer_id, sha256), 
	CONSTRAINT fk_signature_references_writer_id_writers FOREIGN KEY(writer_id) REFERENCES writers (writer_id) ON DELETE CASCADE
);
INSERT INTO "signature_references" VALUES(1,'C-1','bdd295acb9859817b9da544524ed3525a64f61bf5edb16deb0c28b6ae63d378b','image/png','1.png','{"ink_height_px": 41, "warnings": []}','2026-12-01 10:48:40.342809',X'636C65616E65642031',X'696D6167652031');
INSERT INTO "signature_references" VALUES(2,'C-1','32708aa33e13cb8601678e3ffe6f522035ce3c0b8278e440299e72b1cfdcd0b9','image/png','2.png','{"ink_height_px": 42, "warnings": []}','2026-12-01 10:48:40.342809',X'636C65616E65642032',X'696D6167652032');
INSERT INTO "signature_references" VALUES(3,'C-1','7c82785f9109004556345ef2b80af58081377245dd2b234c1f21d08589110faa','image/png','3.png','{"ink_height_px": 43, "warnings": []}','2026-12-01 10:48:40.342809',X'636C65616E65642033',X'696D6167652033');
INSERT INTO "signature_references" VALUES(4,'C-2','c3a248be846e8be77af8c6abf2a0b17cbcfdcb0ac579faa9822b3f921cd5db8a','image/png','4.png','{"ink_height_px": 44, "warnings": []}','2026-12-01 10:48:40.347368',X'636C65616E65642034',X'696D6167652034');
CREATE TABLE writers (
	writer_id VARCHAR(64) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	search_text TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_writers PRIMARY KEY (writer_id)
);
INSERT INTO "writers" VALUES('C-1','Ada Lind','c-1
ada lind','2026-12-01 10:48:40.341793');
INSERT INTO "writers" VALUES('C-2','Zoë Ångström','c-2
zoë ångström','2026-12-01 10:48:40.346964');
INSERT INTO "writers" VALUES('C-4','Without references','c-4
without references','2026-12-01 10:48:40.351166');
CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at);
CREATE INDEX ix_idempotency_keys_writer_id ON idempotency_keys (writer_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('model_switches',1);
INSERT INTO "sqlite_sequence" VALUES('signature_references',6);
INSERT INTO "sqlite_sequence" VALUES('revisions',8);
INSERT INTO "sqlite_sequence" VALUES('decisions',7);
COMMIT;
