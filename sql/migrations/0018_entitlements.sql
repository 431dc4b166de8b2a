-- Plans that begin and end by themselves, limits of young accounts, and conversations that a tenant's boundary closes.

create table parley.subscription (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    tier_name text not null,
    tenant_id uuid,
    starts_at timestamptz not null default now(),
    ends_at timestamptz,
    created_at timestamptz not null default now(),
    constraint subscription_pkey primary key (id),
    constraint subscription_account_fkey foreign key (user_id) references parley.account (id) on delete cascade,
    constraint subscription_tier_fkey foreign key (tier_name) references parley.tier (name) on update cascade,
    constraint subscription_tenant_fkey foreign key (tenant_id) references parley.tenant (id) on delete cascade,
    constraint subscription_times_check check (ends_at > starts_at)
);
create index subscription_user_idx on parley.subscription (user_id);
create index subscription_tier_idx on parley.subscription (tier_name);
create index subscription_tenant_idx on parley.subscription (tenant_id) where tenant_id is not null;
comment on table parley.subscription
is 'A tier that a user has for a time, everywhere or in one tenant. Of those that are active, and account.tier_name, the highest counts.';
comment on column parley.subscription.id is 'The subscription; a host may give its own.';
comment on column parley.subscription.user_id is 'The subscriber.';
comment on column parley.subscription.tier_name is 'The tier.';
comment on column parley.subscription.tenant_id
is 'Its entitlements count in this tenant alone, while the user is a member. Null: everywhere.';
comment on column parley.subscription.starts_at is 'From then on it is active.';
comment on column parley.subscription.ends_at is 'From then on it is not, whether or not a job has run. Null: it does not end.';
comment on column parley.subscription.created_at is 'When it was recorded.';

alter table parley.account add column plan_tier_name text;
alter table parley.account add column plan_until timestamptz;
-- the jobs look for what has ended; all its rows are null, so the index is made at once
-- squawk-ignore require-concurrent-index-creation
create index account_plan_until_idx on parley.account (plan_until) where plan_until is not null;
comment on column parley.account.plan_tier_name
is 'The tier that subscriptions raise the user to until plan_until. Null: tier_name. A copy, kept by triggers: every send reads it.';
comment on column parley.account.plan_until
is 'When a subscription of the user begins or ends next: from then on the copy is not believed. Null: none does.';

alter table parley.account add column app_role parley.app_role;
comment on column parley.account.app_role
is 'Role in the host application, given by the host: it decides where initiating_app_roles asks for one. Null: none.';

alter table parley.limit_kind add column default_young_days bigint;
alter table parley.limit_kind add column default_young_amount bigint;
alter table parley.limit_kind add column enforced_by text not null default 'database';
-- squawk-ignore constraint-missing-not-valid
alter table parley.limit_kind add constraint limit_kind_enforced_by_check
check (enforced_by in ('database', 'worker'));
comment on column parley.limit_kind.enforced_by
is 'database, at each of its doors; or worker, whose doors are http and socket: no row is written for it.';
alter table parley.tier_limit add column young_days bigint;
alter table parley.tier_limit add column young_amount bigint;
alter table parley.tier add column send_young_days bigint;
-- squawk-ignore constraint-missing-not-valid
alter table parley.limit_kind add constraint limit_kind_young_check check (
    (default_young_days is null) = (default_young_amount is null)
    and (default_young_days is null or kind = 'rate' and default_young_days > 0 and default_young_amount >= 0)
);
-- squawk-ignore constraint-missing-not-valid
alter table parley.tier_limit add constraint tier_limit_young_check check (
    (young_days is null) = (young_amount is null)
    and (young_days is null or period_seconds is not null and young_days > 0 and young_amount >= 0)
);
comment on column parley.limit_kind.default_young_days is 'As tier_limit.young_days, for a tier without a row.';
comment on column parley.limit_kind.default_young_amount is 'As tier_limit.young_amount, for a tier without a row.';
comment on column parley.tier_limit.young_days
is 'For a rate: an account is young for so many days, and has young_amount. Null: all accounts have the same.';
comment on column parley.tier_limit.young_amount is 'Amount and burst while the account is young; never more than the others have.';
comment on column parley.tier.send_young_days is 'What tier_limit says of messages_per_minute: its young_days.';

alter table parley.conversation_profile add column severed_at timestamptz;
comment on column parley.conversation_profile.severed_at
is 'Set: it belongs to no tenant, and its participants share none though one of them is in one. It can be read, and takes no changes.';

create table parley.departure (
    conversation_id uuid not null,
    user_id uuid not null,
    departed_at timestamptz not null default clock_timestamp(),
    constraint departure_pkey primary key (conversation_id, user_id),
    constraint departure_participant_fkey foreign key (conversation_id, user_id)
    references parley.participant (conversation_id, user_id) on delete cascade
);
create index departure_departed_idx on parley.departure (departed_at);
comment on table parley.departure
is 'Participants who lost their place with their tenant, and whose conversation has not been told yet: the job settle_departures does.';
comment on column parley.departure.conversation_id is 'The conversation.';
comment on column parley.departure.user_id is 'Who is out of it.';
comment on column parley.departure.departed_at is 'Since when.';

-- an administrator has the rights of an owner
-- squawk-ignore ban-drop-constraint
alter table parley.tenant_member drop constraint tenant_member_role_check;
-- squawk-ignore constraint-missing-not-valid
alter table parley.tenant_member add constraint tenant_member_role_check
check (role in ('owner', 'administrator', 'manager', 'moderator', 'member'));

-- What a decision says, see parley.decide.
create type parley.decision as (allowed boolean, reason text, remedy text, folder text);
comment on type parley.decision is 'The answer to whether somebody may do something.';
comment on column parley.decision.allowed is 'True: yes.';
comment on column parley.decision.reason is 'Why not, as the refusal says it.';
comment on column parley.decision.remedy is 'What would change it. Null: nothing that the user could do.';
comment on column parley.decision.folder is 'Where it lands: inbox or requests.';

alter table parley.subscription enable row level security;
alter table parley.departure enable row level security;

insert into parley.setting (name, value, description) values
(
    'token_roles', '',
    'Roles in a token that give its user an application role, as musician=artist, by commas. Empty: none is read.'
),
(
    'token_roles_claim', 'user.roles',
    'Where token_roles looks: the path of a claim that the issuer writes, a text or a list. Never one that users write.'
);

insert into parley.job (name, period_seconds, description) values
('settle_plans', 5, 'Tells users whose subscription began or ended, and brings the copies of their tier up to date.'),
('settle_departures', 2, 'Tells conversations of participants who are out of them with their tenant.');

-- noqa: disable=LT02
-- What the boundary of tenants means for conversations from before. Who is no member any more is out of them, which the
-- job tells; where the boundary runs through a conversation of no tenant, it can only be read.
with gone as (
    update parley.participant as p
    set left_at = now(), has_draft = false
    from parley.conversation_profile as cp
    where p.conversation_id = cp.conversation_id
        and p.left_at is null
        and cp.tenant_id is not null
        and not exists (
            select from parley.tenant_member as m where m.tenant_id = cp.tenant_id and m.user_id = p.user_id
        )
    returning p.conversation_id, p.user_id
)

insert into parley.departure (conversation_id, user_id)
select
    g.conversation_id,
    g.user_id
from gone as g;

with severed as (
    update parley.conversation_profile as cp
    set severed_at = now()
    where cp.tenant_id is null
        and exists (
            select
            from parley.participant as p
            inner join parley.tenant_member as m on p.user_id = m.user_id
            where p.conversation_id = cp.conversation_id and p.left_at is null
        )
        and not exists (
            select
            from parley.participant as p
            inner join parley.tenant_member as m on p.user_id = m.user_id
            where p.conversation_id = cp.conversation_id and p.left_at is null
            group by m.tenant_id
            having count(*) = (
                select count(*) from parley.participant as q
                where q.conversation_id = cp.conversation_id and q.left_at is null
            )
        )
    returning cp.conversation_id
)

update parley.conversation as c
set restricted = true
from severed as s
where c.id = s.conversation_id;
