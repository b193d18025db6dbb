# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make bench: measures what is in the build tree under Wine, prints a table, and writes bench.json.
# make bench-plot: draws bench.json's curves as the picture that the README shows.

BENCH = $(windir)/obj/tools/bench/bench.exe
BENCH_CURVES = $(windir)/obj/tools/bench/curves.exe
BENCH_LISTENER = $(windir)/obj/tools/bench/listener.exe
BENCH_NATIVE = $(unixdir)/obj/tools/bench/native

EXTRA_DIST += tools/bench/bench.c tools/bench/budgets.json tools/bench/calls.awk tools/bench/curves.c \
	tools/bench/curves.json tools/bench/curves.svg tools/bench/listener.c tools/bench/measure.h \
	tools/bench/native.c tools/bench/plot tools/bench/plot.jq tools/bench/report.jq \
	tools/bench/run tools/bench/sides.h tools/bench/table.jq
CLEANFILES = bench.json

BENCH_H = $(srcdir)/tools/bench/measure.h $(srcdir)/tools/bench/sides.h

$(BENCH): $(srcdir)/tools/bench/bench.c $(BENCH_H)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $< -lws2_32 -liphlpapi \
		-ladvapi32

$(BENCH_CURVES): $(srcdir)/tools/bench/curves.c $(BENCH_H)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $< -lws2_32 -liphlpapi \
		-ladvapi32 -lpsapi

$(BENCH_LISTENER): $(srcdir)/tools/bench/listener.c $(srcdir)/tools/bench/measure.h
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $< -lws2_32 -lntdll

$(BENCH_NATIVE): $(srcdir)/tools/bench/native.c
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) -O2 -g -std=gnu11 $(WARNINGS) $(CFLAGS) -o $@ $<

.PHONY: bench bench-plot
bench: all $(BENCH) $(BENCH_CURVES) $(BENCH_LISTENER) $(BENCH_NATIVE)
	$(srcdir)/tools/bench/run $(BENCHFLAGS) . tools/tawny

bench-plot:
	$(srcdir)/tools/bench/plot bench.json $(srcdir)/tools/bench/curves.svg
