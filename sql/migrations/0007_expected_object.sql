-- What the installed release is made of, recorded by each installation and compared by `parley doctor`.

create table parley.expected_object (
    kind text not null,
    name text not null,
    definition text not null,
    constraint expected_object_pkey primary key (kind, name)
);
comment on table parley.expected_object is
'The catalog as the installation left it: parley.catalog_differences() compares it with what is there.';
comment on column parley.expected_object.kind is
'grant, policy, row-level security, view, trigger, function, column, constraint, index, or server (the major version it was written by).';
comment on column parley.expected_object.name is 'What it is called; a grant is called by its whole statement.';
comment on column parley.expected_object.definition is 'What it must be, as the server prints it.';

alter table parley.expected_object enable row level security;
