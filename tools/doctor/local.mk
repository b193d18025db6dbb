# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What tawny doctor tries on the host.

PROBE = $(unixdir)/probe

EXTRA_DIST += tools/doctor/probe.c

all-local: $(PROBE)

$(PROBE): $(srcdir)/tools/doctor/probe.c $(srcdir)/dlls/portpool/unixlib.h
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) -O2 -g -std=gnu11 -I$(srcdir) $(WARNINGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -ldl
