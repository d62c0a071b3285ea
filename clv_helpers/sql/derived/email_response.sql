-- How each message was responded to; an event that came twice counts once. Machines are marked, and kept:
-- an open is a machine's when its user agent is the bare one of Apple's mail privacy proxy, or its ip_class is privacy proxy;
-- a click is a machine's when its ip_class is datacenter, its user agent names a bot or scanner, or it comes within
-- 10 seconds after the delivery. A click on an unsubscribe link is no click. What lies more than a minute before
-- the sending is rejected: see campaigns.rejected_response. agent_known: 1 where a user agent or an ip_class came with it,
-- without which no machine can be told by it.
-- One row: a message, a kind of response, and whether a machine gave it.
-- Key: message_id, response, by_machine
-- Refresh: by message_id
WITH sending AS (
    SELECT
        message_id,
        MIN(CASE WHEN event_type = 'sent' THEN occurred_at END) AS sent_at,
        MIN(CASE WHEN event_type = 'delivered' THEN occurred_at END) AS delivered_at
    FROM lake.email_events
    WHERE occurred_at < $as_of
    GROUP BY message_id
),
judged AS (
    SELECT
        e.message_id,
        e.event_type AS response,
        e.occurred_at,
        CASE WHEN COALESCE(e.user_agent, e.ip_class, '') <> '' THEN 1 ELSE 0 END AS agent_known,
        CASE
            WHEN e.event_type = 'opened' THEN
                COALESCE(e.user_agent, '') = 'Mozilla/5.0' OR COALESCE(LOWER(e.ip_class), '') = 'privacy proxy'
            WHEN e.event_type = 'clicked' THEN
                COALESCE(LOWER(e.ip_class), '') = 'datacenter'
                OR COALESCE(LOWER(e.user_agent), '') LIKE '%bot%'
                OR COALESCE(LOWER(e.user_agent), '') LIKE '%scan%'
                OR COALESCE(DATE_DIFF('second', s.delivered_at, e.occurred_at), -1) BETWEEN 0 AND 9
            ELSE FALSE
        END AS by_machine
    FROM lake.email_events AS e
    JOIN sending AS s ON s.message_id = e.message_id
    WHERE e.occurred_at < $as_of
      AND e.event_type IN ('opened', 'clicked', 'unsubscribed', 'complained')
      AND COALESCE(DATE_DIFF('second', e.occurred_at, s.sent_at), 0) <= 60
      AND NOT (
          e.event_type = 'clicked'
          AND (COALESCE(LOWER(e.url), '') LIKE '%unsubscribe%' OR COALESCE(LOWER(e.url), '') LIKE '%opt-out%')
      )
)
SELECT
    message_id,
    response,
    by_machine,
    MAX(agent_known) AS agent_known,
    MIN(occurred_at) AS first_at,
    COUNT(DISTINCT occurred_at) AS times
FROM judged
GROUP BY message_id, response, by_machine
