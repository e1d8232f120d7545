-- Frozen: the tables of version 1, as orderkit made them.
CREATE SCHEMA IF NOT EXISTS orderkit;

CREATE TABLE orderkit.inbox (
	source TEXT COLLATE "C" NOT NULL, 
	id TEXT COLLATE "C" NOT NULL, 
	kind TEXT COLLATE "C" NOT NULL, 
	reference TEXT COLLATE "C" NOT NULL, 
	data BYTEA NOT NULL, 
	received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	note TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (source, id)
);

ALTER TABLE orderkit.inbox ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE INDEX inbox_due ON orderkit.inbox (received_at, id) WHERE due_at IS NOT NULL;

CREATE TABLE orderkit.keys (
	principal TEXT COLLATE "C" NOT NULL, 
	operation TEXT COLLATE "C" NOT NULL, 
	key TEXT COLLATE "C" NOT NULL, 
	order_id TEXT COLLATE "C" NOT NULL, 
	fingerprint TEXT COLLATE "C" NOT NULL, 
	claimed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	PRIMARY KEY (principal, operation, key)
);

CREATE TABLE orderkit.order_lines (
	order_id TEXT COLLATE "C" NOT NULL, 
	number INTEGER NOT NULL, 
	sku TEXT COLLATE "C" NOT NULL, 
	ordered INTEGER NOT NULL, 
	unallocated INTEGER NOT NULL, 
	backordered INTEGER NOT NULL, 
	reserved INTEGER NOT NULL, 
	released INTEGER NOT NULL, 
	shipped INTEGER NOT NULL, 
	delivered INTEGER NOT NULL, 
	lost INTEGER NOT NULL, 
	cancelled INTEGER NOT NULL, 
	return_requested INTEGER NOT NULL, 
	return_in_transit INTEGER NOT NULL, 
	return_received INTEGER NOT NULL, 
	restocked INTEGER NOT NULL, 
	quarantined INTEGER NOT NULL, 
	written_off INTEGER NOT NULL, 
	sent_back INTEGER NOT NULL, 
	PRIMARY KEY (order_id, number), 
	CONSTRAINT order_lines_conserve CHECK (unallocated + backordered + reserved + released + shipped + delivered + lost + cancelled = ordered), 
	CONSTRAINT order_lines_returns CHECK (return_requested + return_in_transit + return_received + restocked + quarantined + written_off + sent_back <= shipped + delivered + lost), 
	CONSTRAINT order_lines_not_negative CHECK (unallocated >= 0 AND backordered >= 0 AND reserved >= 0 AND released >= 0 AND shipped >= 0 AND delivered >= 0 AND lost >= 0 AND cancelled >= 0 AND return_requested >= 0 AND return_in_transit >= 0 AND return_received >= 0 AND restocked >= 0 AND quarantined >= 0 AND written_off >= 0 AND sent_back >= 0)
);

ALTER TABLE orderkit.order_lines SET (fillfactor = 70);

CREATE TABLE orderkit.order_texts (
	order_id TEXT COLLATE "C" NOT NULL, 
	text TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (order_id)
);

CREATE TABLE orderkit.orders (
	id TEXT COLLATE "C" NOT NULL, 
	version INTEGER NOT NULL, 
	customer TEXT COLLATE "C" NOT NULL, 
	status TEXT COLLATE "C" NOT NULL, 
	lifecycle TEXT COLLATE "C" NOT NULL, 
	fulfillment TEXT COLLATE "C" NOT NULL, 
	payment_status TEXT COLLATE "C" NOT NULL, 
	returns_status TEXT COLLATE "C" NOT NULL, 
	on_hold BOOLEAN NOT NULL, 
	currency TEXT COLLATE "C" NOT NULL, 
	total_minor BIGINT NOT NULL, 
	refunded_minor BIGINT NOT NULL, 
	shipment_count INTEGER NOT NULL, 
	return_count INTEGER NOT NULL, 
	placed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE, 
	due_for TEXT COLLATE "C", 
	lease_token BIGINT DEFAULT 0 NOT NULL, 
	lease_until TIMESTAMP WITH TIME ZONE, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	parked BOOLEAN DEFAULT false NOT NULL, 
	error TEXT DEFAULT '' NOT NULL, 
	log_head BYTEA NOT NULL, 
	state BYTEA NOT NULL, 
	document BYTEA NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT orders_version CHECK (version > 0), 
	CONSTRAINT orders_status CHECK (status IN ('cancelled', 'delivered', 'out_for_delivery', 'partially_returned', 'partially_shipped', 'payment_confirmed', 'payment_failed', 'payment_pending', 'placed', 'processing', 'returned', 'shipped')), 
	CONSTRAINT orders_lifecycle CHECK (lifecycle IN ('cancelled', 'confirmed', 'payment_failed', 'payment_pending', 'placed'))
);

ALTER TABLE orderkit.orders SET (fillfactor = 80);

ALTER TABLE orderkit.orders ALTER COLUMN log_head SET STORAGE EXTERNAL;

ALTER TABLE orderkit.orders ALTER COLUMN state SET STORAGE EXTERNAL;

ALTER TABLE orderkit.orders ALTER COLUMN document SET STORAGE EXTERNAL;

CREATE INDEX orders_by_customer ON orderkit.orders (customer, placed_at, id);

CREATE INDEX orders_by_status ON orderkit.orders (status, placed_at, id);

CREATE INDEX orders_by_time ON orderkit.orders (placed_at, id);

CREATE INDEX orders_due ON orderkit.orders (due_at, id) WHERE due_at IS NOT NULL AND NOT parked;

CREATE TABLE orderkit.payments (
	order_id TEXT COLLATE "C" NOT NULL, 
	number INTEGER NOT NULL, 
	id TEXT COLLATE "C" NOT NULL, 
	kind TEXT COLLATE "C" NOT NULL, 
	method TEXT COLLATE "C" NOT NULL, 
	state TEXT COLLATE "C" NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	authorized_minor BIGINT NOT NULL, 
	captured_minor BIGINT NOT NULL, 
	refunded_minor BIGINT NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE, 
	operations BYTEA NOT NULL, 
	PRIMARY KEY (order_id, number), 
	CONSTRAINT payments_state CHECK (state IN ('authorized', 'captured', 'declined', 'expired', 'in_doubt', 'pending', 'refunded', 'voided')), 
	CONSTRAINT payments_captured CHECK (0 <= captured_minor AND captured_minor <= authorized_minor), 
	CONSTRAINT payments_refunded CHECK (0 <= refunded_minor AND refunded_minor <= captured_minor)
);

ALTER TABLE orderkit.payments SET (fillfactor = 70);

ALTER TABLE orderkit.payments ALTER COLUMN operations SET STORAGE EXTERNAL;

CREATE TABLE orderkit.records (
	order_id TEXT COLLATE "C" NOT NULL, 
	version INTEGER NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	actor TEXT COLLATE "C" NOT NULL, 
	reason TEXT COLLATE "C" NOT NULL, 
	from_status TEXT COLLATE "C", 
	to_status TEXT COLLATE "C" NOT NULL, 
	body BYTEA NOT NULL, 
	previous_hash BYTEA NOT NULL, 
	hash BYTEA NOT NULL, 
	published BOOLEAN DEFAULT false NOT NULL, 
	leased_until TIMESTAMP WITH TIME ZONE, 
	PRIMARY KEY (order_id, version), 
	CONSTRAINT records_step CHECK ((version = 1 AND from_status IS NULL AND to_status IN ('cancelled', 'payment_confirmed', 'placed')) OR (version > 1 AND from_status IS NOT NULL AND (from_status || ' > ' || to_status) IN ('cancelled > cancelled', 'delivered > delivered', 'delivered > partially_returned', 'delivered > returned', 'out_for_delivery > delivered', 'out_for_delivery > out_for_delivery', 'out_for_delivery > partially_returned', 'out_for_delivery > returned', 'out_for_delivery > shipped', 'partially_returned > partially_returned', 'partially_returned > returned', 'partially_shipped > delivered', 'partially_shipped > out_for_delivery', 'partially_shipped > partially_returned', 'partially_shipped > partially_shipped', 'partially_shipped > returned', 'partially_shipped > shipped', 'payment_confirmed > cancelled', 'payment_confirmed > delivered', 'payment_confirmed > out_for_delivery', 'payment_confirmed > partially_shipped', 'payment_confirmed > payment_confirmed', 'payment_confirmed > processing', 'payment_confirmed > shipped', 'payment_failed > cancelled', 'payment_failed > payment_failed', 'payment_failed > placed', 'payment_pending > cancelled', 'payment_pending > payment_confirmed', 'payment_pending > payment_failed', 'payment_pending > payment_pending', 'placed > cancelled', 'placed > payment_confirmed', 'placed > payment_failed', 'placed > payment_pending', 'placed > placed', 'processing > cancelled', 'processing > delivered', 'processing > out_for_delivery', 'processing > partially_shipped', 'processing > payment_confirmed', 'processing > processing', 'processing > shipped', 'returned > partially_returned', 'returned > returned', 'shipped > delivered', 'shipped > out_for_delivery', 'shipped > partially_returned', 'shipped > returned', 'shipped > shipped')))
);

ALTER TABLE orderkit.records ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE INDEX records_unpublished ON orderkit.records (order_id, version) WHERE NOT published;

CREATE TABLE orderkit.returns (
	order_id TEXT COLLATE "C" NOT NULL, 
	number INTEGER NOT NULL, 
	id TEXT COLLATE "C" NOT NULL, 
	state TEXT COLLATE "C" NOT NULL, 
	requested_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	label_url TEXT COLLATE "C", 
	detail BYTEA NOT NULL, 
	PRIMARY KEY (order_id, number), 
	CONSTRAINT returns_state CHECK (state IN ('authorized', 'cancelled', 'declined', 'expired', 'in_transit', 'partially_received', 'received', 'requested'))
);

ALTER TABLE orderkit.returns ALTER COLUMN detail SET STORAGE EXTERNAL;

CREATE TABLE orderkit.schema_version (
	single INTEGER NOT NULL CONSTRAINT schema_version_single CHECK (single = 1), 
	version INTEGER NOT NULL, 
	PRIMARY KEY (single)
);

CREATE TABLE orderkit.shipments (
	order_id TEXT COLLATE "C" NOT NULL, 
	number INTEGER NOT NULL, 
	id TEXT COLLATE "C" NOT NULL, 
	warehouse TEXT COLLATE "C" NOT NULL, 
	carrier TEXT COLLATE "C", 
	tracking_number TEXT COLLATE "C", 
	state TEXT COLLATE "C" NOT NULL, 
	shipped_at TIMESTAMP WITH TIME ZONE, 
	delivered_at TIMESTAMP WITH TIME ZONE, 
	detail BYTEA NOT NULL, 
	PRIMARY KEY (order_id, number), 
	CONSTRAINT shipments_state CHECK (state IN ('cancelled', 'delivered', 'lost', 'out_for_delivery', 'planned', 'released', 'returned_to_sender', 'shipped'))
);

ALTER TABLE orderkit.shipments SET (fillfactor = 70);

ALTER TABLE orderkit.shipments ALTER COLUMN detail SET STORAGE EXTERNAL;

CREATE INDEX shipments_by_tracking_number ON orderkit.shipments (tracking_number) WHERE tracking_number IS NOT NULL;

CREATE TABLE orderkit.stock (
	sku TEXT COLLATE "C" NOT NULL, 
	warehouse TEXT COLLATE "C" NOT NULL, 
	on_hand BIGINT DEFAULT 0 NOT NULL, 
	reserved BIGINT DEFAULT 0 NOT NULL, 
	received BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (sku, warehouse), 
	CONSTRAINT stock_promises_covered CHECK (0 <= reserved AND reserved <= on_hand)
);

CREATE TABLE orderkit.stock_receipts (
	id TEXT COLLATE "C" NOT NULL, 
	sku TEXT COLLATE "C" NOT NULL, 
	warehouse TEXT COLLATE "C" NOT NULL, 
	reason TEXT COLLATE "C" NOT NULL, 
	quantity BIGINT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	PRIMARY KEY (id)
);

CREATE FUNCTION orderkit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'restrict_violation'; END $$;

CREATE TRIGGER records_no_update BEFORE UPDATE OF order_id, version, at, actor, reason, from_status, to_status, body, previous_hash, hash ON orderkit.records FOR EACH ROW EXECUTE FUNCTION orderkit.refuse_change();

CREATE TRIGGER records_no_delete BEFORE DELETE ON orderkit.records FOR EACH ROW EXECUTE FUNCTION orderkit.refuse_change();

CREATE TRIGGER records_no_truncate BEFORE TRUNCATE ON orderkit.records FOR EACH STATEMENT EXECUTE FUNCTION orderkit.refuse_change();

INSERT INTO orderkit.schema_version (single, version) VALUES (1, 1);
