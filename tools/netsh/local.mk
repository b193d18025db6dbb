# SPDX-License-Identifier: LGPL-2.1-or-later
#
# netsh, a drop-in for Wine's. Its libraries are those of the programs, and ntdll for Wine's debug
# functions.

NETSH = $(windir)/netsh.exe
NETSH_C = tools/netsh/arguments.c tools/netsh/help.c tools/netsh/netsh.c tools/netsh/output.c \
	tools/netsh/ranges.c tools/netsh/script.c
NETSH_H = tools/netsh/arguments.h tools/netsh/netsh_private.h

EXTRA_DIST += $(NETSH_C) $(NETSH_H)
tawnype_DATA += $(NETSH)
I386_PE += i386-windows/netsh.exe
i386-windows/netsh.exe: $(I386_BY_$(MACHINE))

all-local: $(NETSH)
machine: $(NETSH)

check-tawny: $(NETSH)

$(windir)/obj/tools/netsh/%.o: $(srcdir)/tools/netsh/%.c $(INTERFACES) $(COMMON_H) $(NETSH_H)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -c -o $@ $<

# Wine takes it for a native program, and so for what WINEDLLOVERRIDES=netsh.exe=n asks for.
$(NETSH): $(NETSH_C:%.c=$(windir)/obj/%.o) $(windir)/obj/dlls/common/pool.o \
		$(windir)/obj/libntdll_wine.a
	$(AM_V_GEN)$(PE_CC) $(PE_CFLAGS) $(MINGW_CFLAGS) -s -municode -o $@ $^
