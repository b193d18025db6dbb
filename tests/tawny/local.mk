# SPDX-License-Identifier: LGPL-2.1-or-later

TAWNY_TESTS = tests/tawny/arguments.sh tests/tawny/changes.sh tests/tawny/wine.sh \
	tests/tawny/install.sh

EXTRA_DIST += tests/tawny/common.sh $(TAWNY_TESTS)

CHECKS += check-tawny

.PHONY: check-tawny
check-tawny: tools/tawny $(DLLS) $(FALLBACKS) $(UNIXLIBS) $(PROGRAMS_PE)
	@failed=; \
	for test in $(TAWNY_TESTS); do \
	  $(SHELL) $(srcdir)/$$test || failed=yes; \
	done; \
	test -z "$$failed"
