-- The definitions of the rates, as fact_campaign_rate computes them and the report prints them. All count people: whoever
-- opened three times, or got two messages of one campaign, is one.
-- One row: a rate.
-- Key: kpi
SELECT 1 AS kpi_order, 'delivery rate' AS kpi, 'delivered' AS numerator_is, 'sent' AS denominator_is, 'people whose mail server took the message' AS definition
UNION ALL
SELECT 2, 'accepted rate', 'accepted', 'sent', 'delivered, and not bounced afterwards'
UNION ALL
SELECT 3, 'open rate', 'opened', 'accepted', 'opened by a person; who clicked has opened. Machines are not counted: Apple''s mail privacy proxy (user agent Mozilla/5.0 and no more, or ip_class privacy proxy). Empty where opens come without a user agent'
UNION ALL
SELECT 4, 'open rate with machines', 'opened_with_machines', 'accepted', 'as the raw events have it, for comparison'
UNION ALL
SELECT 5, 'click rate', 'clicked', 'accepted', 'clicked by a person, not on a link to unsubscribe. Machines are not counted: ip_class datacenter, a user agent that names a bot or scanner, or within 10 seconds after the delivery'
UNION ALL
SELECT 6, 'click rate with machines', 'clicked_with_machines', 'accepted', 'as the raw events have it (without links to unsubscribe), for comparison'
UNION ALL
SELECT 7, 'click-to-open rate', 'clicked', 'opened', 'of those who opened, who clicked; by people'
UNION ALL
SELECT 8, 'unsubscribe rate', 'unsubscribed', 'accepted', 'unsubscribed by this message'
UNION ALL
SELECT 9, 'complaint rate', 'complained', 'accepted', 'reported it as spam. Gmail asks senders to stay below 0.10 %, and limits those who reach 0.30 %'
UNION ALL
SELECT 10, 'hard bounce rate', 'hard_bounced', 'sent', 'the address does not exist (5.x.x)'
UNION ALL
SELECT 11, 'block rate', 'blocked', 'sent', 'refused by a policy or for the sender''s reputation (5.7.x)'
UNION ALL
SELECT 12, 'soft bounce rate', 'soft_bounced', 'sent', 'not taken this time (4.x.x): mailbox full, server away'
