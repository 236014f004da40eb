-- Events leave no row of their own.

-- How many deliveries rose to delivered by what came by `at` (ms): what a report's curve is of.
CREATE TABLE arrival (
    broadcast_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (broadcast_id, at)
) {clustered};
INSERT INTO arrival (broadcast_id, at, n)
SELECT broadcast_id, (received_at + 999) / 1000 * 1000, count(*) FROM event
WHERE type = 'delivered' AND broadcast_id IS NOT NULL GROUP BY 1, 2;
DROP TABLE event;
