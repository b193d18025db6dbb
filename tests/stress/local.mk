# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Hundreds of threads in a dozen Windows processes, and native thieves, all at random, against a model of
# what must never be. It takes as long as it is told to, and is no part of make check; tests/stress/run
# says more.

STRESS_PROGRAM = $(windir)/stress.exe
STRESS_HOST = native/stress-host

EXTRA_DIST += tests/stress/host.c tests/stress/model.h tests/stress/run tests/stress/stress.c

$(STRESS_PROGRAM): $(srcdir)/tests/stress/stress.c $(srcdir)/tests/stress/model.h
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $< -lws2_32 -liphlpapi

$(STRESS_HOST): $(srcdir)/tests/stress/host.c $(srcdir)/tests/stress/model.h
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) -o $@ $<

.PHONY: check-stress
check-stress: all $(STRESS_PROGRAM) $(STRESS_HOST)
	$(srcdir)/tests/stress/run . tools/tawny
