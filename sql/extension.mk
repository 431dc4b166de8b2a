# The extension door: `make install`, then in the database `create extension parley; select parley_ext.migrate();`, or,
# where an older version is, `alter extension parley update; select parley_ext.migrate();`.
# PG_CONFIG chooses the server, by default the newest one of Debian's; DESTDIR stages the files for a package.
PG_CONFIG ?= $(or $(lastword $(sort $(wildcard /usr/lib/postgresql/*/bin/pg_config))),pg_config)
EXTENSION_DIR = $(DESTDIR)$(shell $(PG_CONFIG) --sharedir)/extension

.PHONY: extension-dir install uninstall sql

# One file that installs or upgrades through anything that takes SQL: an editor in a browser, a driver, psql < file.
sql:
	@mkdir -p dist
	@scripts/extension.sh file >dist/parley.sql
	@echo dist/parley.sql

# Files of older versions stay: databases that have one are updated along them.
install:
	@install -d '$(EXTENSION_DIR)'
	@scripts/extension.sh install '$(EXTENSION_DIR)'

# where `make install` puts the files
extension-dir:
	@echo '$(EXTENSION_DIR)'

uninstall:
	rm -f '$(EXTENSION_DIR)/parley.control' '$(EXTENSION_DIR)'/parley--*.sql
