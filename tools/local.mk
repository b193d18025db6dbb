# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What make install installs: tools/tawny and its like with their manuals, and the DLLs and programs,
# in directories laid out as in the build tree, where tools/tawny finds them.

bin_SCRIPTS = tools/tawny tools/tawny-wine-links

dist_man_MANS = tools/tawny.1 tools/tawny-netsh.7 tools/tawny-wine-links.1

tawnypedir = $(tawnydir)/$(windir)
tawnype_DATA = $(DLLS) $(PROGRAMS_PE)

tawnyfallbackdir = $(tawnypedir)/fallback
tawnyfallback_DATA = $(FALLBACKS)

tawnyunixdir = $(tawnydir)/$(unixdir)
tawnyunix_DATA = $(UNIXLIBS)
tawnyunix_SCRIPTS = $(PROBE)

# Made by the other make, which must not ask itself.
I386_BY_x86_64 = all-i386
I386_UNIXLIBS = i386-unix/portpool.so
I386_PE = i386-windows/iphlpapi.dll i386-windows/mswsock.dll i386-windows/portpool.dll \
	i386-windows/ws2_32.dll i386-windows/persist.exe i386-windows/reserve.exe
I386_FALLBACKS = $(FALLBACK_NAMES:%=i386-windows/fallback/%)
$(I386_UNIXLIBS) $(I386_PE) $(I386_FALLBACKS): $(I386_BY_$(MACHINE))

tawnyi386pedir = $(tawnydir)/i386-windows
tawnyi386pe_DATA = $(I386_PE)

tawnyi386fallbackdir = $(tawnyi386pedir)/fallback
tawnyi386fallback_DATA = $(I386_FALLBACKS)

tawnyi386unixdir = $(tawnydir)/i386-unix
tawnyi386unix_DATA = $(I386_UNIXLIBS)

# Automake removes the files that it has installed, but not the directories that are Tawny's alone.
uninstall-hook:
	@for directory in "$(tawnyfallbackdir)" "$(tawnypedir)" "$(tawnyunixdir)" \
	    "$(tawnyi386fallbackdir)" "$(tawnyi386pedir)" "$(tawnyi386unixdir)" "$(tawnydir)"; do \
	  rmdir "$(DESTDIR)$$directory" 2>/dev/null; \
	done; :
