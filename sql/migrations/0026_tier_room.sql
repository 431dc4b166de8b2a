-- Every send reads a row of parley.tier, and walks over each dead version of it that lies on the page: an installation
-- leaves half a dozen, and readers sweep a page only when it is nearly full. With little of it to be filled it counts
-- as full from the first change on. Too few rows ever die for autovacuum to come.
alter table parley.tier set (fillfactor = 10);
