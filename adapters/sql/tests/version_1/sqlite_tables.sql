-- Frozen: the tables of version 1, as orderkit made them.
CREATE TABLE orderkit_inbox (
	source TEXT NOT NULL, 
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	data BLOB NOT NULL, 
	received_at TEXT NOT NULL, 
	due_at TEXT, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	note TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (source, id)
);

CREATE INDEX orderkit_inbox_due ON orderkit_inbox (received_at, id) WHERE due_at IS NOT NULL;

CREATE TABLE orderkit_keys (
	principal TEXT NOT NULL, 
	operation TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	order_id TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	claimed_at TEXT NOT NULL, 
	PRIMARY KEY (principal, operation, "key")
)
 WITHOUT ROWID;

CREATE TABLE orderkit_order_lines (
	order_id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	sku TEXT NOT NULL, 
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
)
 WITHOUT ROWID;

CREATE TABLE orderkit_order_texts (
	order_id TEXT NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (order_id)
);

CREATE TABLE orderkit_orders (
	id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	customer TEXT NOT NULL, 
	status TEXT NOT NULL, 
	lifecycle TEXT NOT NULL, 
	fulfillment TEXT NOT NULL, 
	payment_status TEXT NOT NULL, 
	returns_status TEXT NOT NULL, 
	on_hold BOOLEAN NOT NULL, 
	currency TEXT NOT NULL, 
	total_minor BIGINT NOT NULL, 
	refunded_minor BIGINT NOT NULL, 
	shipment_count INTEGER NOT NULL, 
	return_count INTEGER NOT NULL, 
	placed_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	due_at TEXT, 
	due_for TEXT, 
	lease_token BIGINT DEFAULT 0 NOT NULL, 
	lease_until TEXT, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	parked BOOLEAN DEFAULT 0 NOT NULL, 
	error TEXT DEFAULT '' NOT NULL, 
	log_head BLOB NOT NULL, 
	state BLOB NOT NULL, 
	document BLOB NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT orders_version CHECK (version > 0), 
	CONSTRAINT orders_status CHECK (status IN ('cancelled', 'delivered', 'out_for_delivery', 'partially_returned', 'partially_shipped', 'payment_confirmed', 'payment_failed', 'payment_pending', 'placed', 'processing', 'returned', 'shipped')), 
	CONSTRAINT orders_lifecycle CHECK (lifecycle IN ('cancelled', 'confirmed', 'payment_failed', 'payment_pending', 'placed'))
);

CREATE INDEX orderkit_orders_by_customer ON orderkit_orders (customer, placed_at, id);

CREATE INDEX orderkit_orders_by_status ON orderkit_orders (status, placed_at, id);

CREATE INDEX orderkit_orders_by_time ON orderkit_orders (placed_at, id);

CREATE INDEX orderkit_orders_due ON orderkit_orders (due_at, id) WHERE due_at IS NOT NULL AND NOT parked;

CREATE TABLE orderkit_payments (
	order_id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	method TEXT NOT NULL, 
	state TEXT NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	authorized_minor BIGINT NOT NULL, 
	captured_minor BIGINT NOT NULL, 
	refunded_minor BIGINT NOT NULL, 
	expires_at TEXT, 
	operations BLOB NOT NULL, 
	PRIMARY KEY (order_id, number), 
	CONSTRAINT payments_state CHECK (state IN ('authorized', 'captured', 'declined', 'expired', 'in_doubt', 'pending', 'refunded', 'voided')), 
	CONSTRAINT payments_captured CHECK (0 <= captured_minor AND captured_minor <= authorized_minor), 
	CONSTRAINT payments_refunded CHECK (0 <= refunded_minor AND refunded_minor <= captured_minor)
);

CREATE TABLE orderkit_records (
	order_id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	from_status TEXT, 
	to_status TEXT NOT NULL, 
	body BLOB NOT NULL, 
	previous_hash BLOB NOT NULL, 
	hash BLOB NOT NULL, 
	published BOOLEAN DEFAULT 0 NOT NULL, 
	leased_until TEXT, 
	PRIMARY KEY (order_id, version), 
	CONSTRAINT records_step CHECK ((version = 1 AND from_status IS NULL AND to_status IN ('cancelled', 'payment_confirmed', 'placed')) OR (version > 1 AND from_status IS NOT NULL AND (from_status || ' > ' || to_status) IN ('cancelled > cancelled', 'delivered > delivered', 'delivered > partially_returned', 'delivered > returned', 'out_for_delivery > delivered', 'out_for_delivery > out_for_delivery', 'out_for_delivery > partially_returned', 'out_for_delivery > returned', 'out_for_delivery > shipped', 'partially_returned > partially_returned', 'partially_returned > returned', 'partially_shipped > delivered', 'partially_shipped > out_for_delivery', 'partially_shipped > partially_returned', 'partially_shipped > partially_shipped', 'partially_shipped > returned', 'partially_shipped > shipped', 'payment_confirmed > cancelled', 'payment_confirmed > delivered', 'payment_confirmed > out_for_delivery', 'payment_confirmed > partially_shipped', 'payment_confirmed > payment_confirmed', 'payment_confirmed > processing', 'payment_confirmed > shipped', 'payment_failed > cancelled', 'payment_failed > payment_failed', 'payment_failed > placed', 'payment_pending > cancelled', 'payment_pending > payment_confirmed', 'payment_pending > payment_failed', 'payment_pending > payment_pending', 'placed > cancelled', 'placed > payment_confirmed', 'placed > payment_failed', 'placed > payment_pending', 'placed > placed', 'processing > cancelled', 'processing > delivered', 'processing > out_for_delivery', 'processing > partially_shipped', 'processing > payment_confirmed', 'processing > processing', 'processing > shipped', 'returned > partially_returned', 'returned > returned', 'shipped > delivered', 'shipped > out_for_delivery', 'shipped > partially_returned', 'shipped > returned', 'shipped > shipped')))
);

CREATE INDEX orderkit_records_unpublished ON orderkit_records (order_id, version) WHERE NOT published;

CREATE TABLE orderkit_returns (
	order_id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	requested_at TEXT NOT NULL, 
	label_url TEXT, 
	detail BLOB NOT NULL, 
	PRIMARY KEY (order_id, number), 
	CONSTRAINT returns_state CHECK (state IN ('authorized', 'cancelled', 'declined', 'expired', 'in_transit', 'partially_received', 'received', 'requested'))
);

CREATE TABLE orderkit_schema_version (
	single INTEGER NOT NULL CONSTRAINT schema_version_single CHECK (single = 1), 
	version INTEGER NOT NULL, 
	PRIMARY KEY (single)
);

CREATE TABLE orderkit_shipments (
	order_id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	warehouse TEXT NOT NULL, 
	carrier TEXT, 
	tracking_number TEXT, 
	state TEXT NOT NULL, 
	shipped_at TEXT, 
	delivered_at TEXT, 
	detail BLOB NOT NULL, 
	PRIMARY KEY (order_id, number), 
	CONSTRAINT shipments_state CHECK (state IN ('cancelled', 'delivered', 'lost', 'out_for_delivery', 'planned', 'released', 'returned_to_sender', 'shipped'))
);

CREATE INDEX orderkit_shipments_by_tracking_number ON orderkit_shipments (tracking_number) WHERE tracking_number IS NOT NULL;

CREATE TABLE orderkit_stock (
	sku TEXT NOT NULL, 
	warehouse TEXT NOT NULL, 
	on_hand BIGINT DEFAULT 0 NOT NULL, 
	reserved BIGINT DEFAULT 0 NOT NULL, 
	received BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (sku, warehouse), 
	CONSTRAINT stock_promises_covered CHECK (0 <= reserved AND reserved <= on_hand)
)
 WITHOUT ROWID;

CREATE TABLE orderkit_stock_receipts (
	id TEXT NOT NULL, 
	sku TEXT NOT NULL, 
	warehouse TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	quantity BIGINT NOT NULL, 
	at TEXT NOT NULL, 
	PRIMARY KEY (id)
);

CREATE TRIGGER orderkit_records_no_update BEFORE UPDATE OF order_id, version, at, actor, reason, from_status, to_status, body, previous_hash, hash ON orderkit_records BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TRIGGER orderkit_records_no_delete BEFORE DELETE ON orderkit_records BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

INSERT INTO orderkit_schema_version (single, version) VALUES (1, 1);
