# The extension door: `make install`, then in the database `create extension parley; select parley_ext.migrate();`
# PG_CONFIG chooses the server, by default the newest one of Debian's; DESTDIR stages the files for a package.
PG_CONFIG ?= $(or $(lastword $(sort $(wildcard /usr/lib/postgresql/*/bin/pg_config))),pg_config)
EXTENSION_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" parley.control)
EXTENSION_DIR = $(DESTDIR)$(shell $(PG_CONFIG) --sharedir)/extension
EXTENSION_SQL := .build/extension/parley--$(EXTENSION_VERSION).sql

.PHONY: extension extension-dir install uninstall

extension: $(EXTENSION_SQL)

$(EXTENSION_SQL): parley.control scripts/extension.sh scripts/manifest.sh $(shell scripts/manifest.sh --list | cut -d' ' -f2) \
		sql/bootstrap.sql sql/migrate.sql sql/finish.sql
	@mkdir -p $(@D)
	@scripts/extension.sh install >$@.new && mv $@.new $@

install: extension
	install -d '$(EXTENSION_DIR)'
	install -m 644 parley.control $(EXTENSION_SQL) '$(EXTENSION_DIR)/'

# where `make install` puts the files
extension-dir:
	@echo '$(EXTENSION_DIR)'

uninstall:
	rm -f '$(EXTENSION_DIR)/parley.control' '$(EXTENSION_DIR)'/parley--*.sql
