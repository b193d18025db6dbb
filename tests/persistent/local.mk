# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of persistent reservations across the death of programs, of the holder, of Wine's server and
# of the prefix: scripts, and a Windows program that they tell what to do.

PERSISTENT_TESTS = restart random fault active prefixes shortage clock children
PERSISTENT_WORKER = $(windir)/worker.exe

EXTRA_DIST += $(PERSISTENT_TESTS:%=tests/persistent/%) tests/persistent/model \
	tests/persistent/prefix tests/persistent/run tests/persistent/worker.c

CHECKS += check-persistent
CHECK_PE += $(PERSISTENT_WORKER)

$(PERSISTENT_WORKER): $(srcdir)/tests/persistent/worker.c
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $< -lws2_32 -liphlpapi

.PHONY: check-persistent
check-persistent: all $(PERSISTENT_WORKER)
	$(srcdir)/tests/persistent/run . tools/tawny
