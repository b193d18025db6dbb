# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make check-analyse: the static analysers, and valgrind. Not of make check, which needs none of them.

EXTRA_DIST += .clang-tidy tests/analyse/cppcheck-suppressions tests/analyse/include/uthash.h \
	tests/analyse/run

.PHONY: check-analyse
check-analyse: $(INTERFACES) $(SHOW_MEMCHECK_TESTS)
	@failed=; \
	WINE_HEADERS='$(WINE_HEADERS)' $(srcdir)/tests/analyse/run . || failed=yes; \
	TAWNY_ROUNDS=300 $(SHELL) $(srcdir)/tests/native/run $(SHOW_MEMCHECK_TESTS:%=./%) || failed=yes; \
	test -z "$$failed"
