-- How often members bought against how long ago: where the programme keeps them, and where it loses them.
-- One row: a cell of the recency × frequency grid that holds at least one member.
-- Key: frequency_band, recency_band
SELECT
    b.frequency_band,
    b.frequency_order,
    b.recency_band,
    b.recency_order,
    COUNT(*) AS members,
    SUM(v.value) AS value,
    SUM(v.spend) AS spend,
    CAST(SUM(v.spend) AS DOUBLE) / COUNT(*) AS spend_per_member,
    CAST(COUNT(*) AS DOUBLE) / SUM(COUNT(*)) OVER () AS share_of_members
FROM derived.member_band AS b
JOIN derived.member_value AS v ON v.membership_number = b.membership_number
GROUP BY b.frequency_band, b.frequency_order, b.recency_band, b.recency_order
