# SPDX-License-Identifier: LGPL-2.1-or-later

TAWNY_TESTS = tests/tawny/arguments.sh tests/tawny/changes.sh tests/tawny/wine.sh \
	tests/tawny/install.sh tests/tawny/always.sh tests/tawny/upgrade.sh \
	tests/tawny/progress.sh
TAWNY_NETWORK = $(windir)/obj/tests/tawny/network.exe

EXTRA_DIST += tests/tawny/common.sh tests/tawny/network.c $(TAWNY_TESTS)

CHECKS += check-tawny
CHECK_PE += $(TAWNY_NETWORK)

$(TAWNY_NETWORK): $(srcdir)/tests/tawny/network.c
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $< -lws2_32 -lmswsock \
		-liphlpapi

.PHONY: check-tawny
check-tawny: all $(TAWNY_NETWORK) check-i386
	@failed=; \
	for test in $(TAWNY_TESTS); do \
	  $(SHELL) $(srcdir)/$$test || failed=yes; \
	done; \
	test -z "$$failed"
