# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Programs that others wrote, plain and with Tawny. They are had from npm's registry, and so this is no
# part of make check.

EXTRA_DIST += tests/real/conversation.js tests/real/fetch.js tests/real/ports.js tests/real/run

.PHONY: check-real
check-real: all
	$(srcdir)/tests/real/run . tools/tawny
