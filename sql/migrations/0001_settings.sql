-- Of the deployment as a whole: its choices, its keys, and what its installation left, for comparison.

create table parley.setting (
    name text not null,
    value text not null,
    description text not null,
    updated_at timestamptz not null default now(),
    constraint setting_pkey primary key (name),
    constraint setting_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$')
);
comment on table parley.setting is 'Choices of this deployment, one row each.';
comment on column parley.setting.name is 'Name used in documentation and errors.';
comment on column parley.setting.value is 'The value, as text.';
comment on column parley.setting.description is 'What it changes and which values it takes.';
comment on column parley.setting.updated_at is 'When the value was last changed.';

create table parley.secret (
    name text not null,
    value bytea not null,
    created_at timestamptz not null default now(),
    constraint secret_pkey primary key (name),
    constraint secret_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint secret_value_check check (octet_length(value) >= 32)
);
comment on table parley.secret is 'Keys made at installation. No role but the owner reads them; a dump contains them.';
comment on column parley.secret.name is 'What the key is for.';
comment on column parley.secret.value is 'The key.';
comment on column parley.secret.created_at is 'When it was made.';

create table parley.expected_object (
    kind text not null,
    name text not null,
    definition text not null,
    constraint expected_object_pkey primary key (kind, name)
);
comment on table parley.expected_object is
'The catalog as the installation left it: parley.catalog_differences() compares it with what is there.';
comment on column parley.expected_object.kind is
'grant, policy, comment, view, trigger, function, column, constraint, index, or server (the major version it was written by).';
comment on column parley.expected_object.name is 'What it is called; a grant is called by its whole statement.';
comment on column parley.expected_object.definition is 'What it must be, as the server prints it.';

alter table parley.setting enable row level security;
alter table parley.secret enable row level security;
alter table parley.expected_object enable row level security;
