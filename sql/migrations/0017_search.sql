-- Words are made otherwise than before (parley.searchable_text), and what is indexed says of which making it is. Blocks
-- of an earlier one are looked into by every search until the job has made them again, which it begins by itself.

comment on column parley.search_block.language is
'Text search configuration, and version of it, that the terms were made with: parley.terms_version.';
comment on column parley.search_state.language is
'Text search configuration and version of the last rebuilding. Another one, by the settings or an upgrade, starts the next.';
