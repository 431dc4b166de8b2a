-- What a send reads anyway says whether rules can fire that look at the sender or at words. Both tables are
-- locked until the installation commits: constant defaults take no time, the update some 20 us for each user of whom
-- somebody has complained.

alter table parley.account add column complained_of boolean not null default false;
comment on column parley.account.complained_of
is 'Somebody has blocked, declined or reported the user once: what they send to strangers is measured by that. Kept by triggers, and never taken back, since it only says where to look.';

alter table parley.tier add column text_rules boolean not null default false;
comment on column parley.tier.text_rules
is 'Some rule of spam looks at words or at a pattern. Kept by triggers, alike in all tiers.';

update parley.account as a
set complained_of = true
where a.id in (
    select b.blocked_id from parley.block as b
    union
    select r.sender_id from parley.message_request as r where r.status = 'declined'
    union
    select s.user_id from parley.sender_record as s
);

update parley.tier as t
set text_rules = true
where exists (select from parley.spam_rule as r where r.mode <> 'off' and r.kind in ('terms', 'pattern'));
