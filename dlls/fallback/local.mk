# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What keeps network programs going in a prefix that loads the drop-ins always, under a Wine whose
# library directory lacks the aliases of its own DLLs:
#   NAME_wine.dll  takes the alias's place. Wine loads a native DLL of that name only when it has no
#                  builtin. Each export leads to the same of Wine's own NAME.dll, by a path that
#                  neither the name of a module loaded before nor the prefix's overrides answer for.
#   standin.dll    stands at these paths. It is marked as builtin and has nothing in it: Wine loads its
#                  own DLL of the name instead, whichever Wine it is.
# They are made of the lists of exports alone. WINEDLLPATH must not lead to them, hence a directory of
# their own.

FALLBACK_DIRECTORY = C:\windows\system32\tawny
FALLBACK_NAMES = iphlpapi_wine.dll mswsock_wine.dll standin.dll ws2_32_wine.dll
FALLBACKS = $(FALLBACK_NAMES:%=$(windir)/fallback/%)
# Without code, they have no entry point.
FALLBACK_LINK = -shared -nostdlib -s -Wl,-e,0 -Wl,--dynamicbase -Wl,--no-insert-timestamp

$(windir)/fallback/%_wine.dll: $(windir)/obj/fallback/%.def
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(FALLBACK_LINK) -o $@ $<

$(windir)/fallback/standin.dll: $(windir)/obj/fallback/standin.def
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(FALLBACK_LINK) -o $@.tmp $<
	@$(WINEBUILD) --builtin $@.tmp && mv $@.tmp $@

# In the list of the drop-in's exports, what is forwarded leads to the name that Wine exports; what is
# not has that name, in 32-bit code with the size of the arguments behind it.
$(windir)/obj/fallback/%.def: $(srcdir)/dlls/fallback/local.mk
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)awk -v path='$(subst \,\\,$(FALLBACK_DIRECTORY))\\$*' \
		'/^LIBRARY/ { print "LIBRARY $*_wine.dll" } \
		 /^EXPORTS/ { print } \
		 /^  / { if (!sub(/.*=[^.]*[.]/, "", $$1)) sub(/@[0-9]*$$/, "", $$1); \
		         printf "  %s = \"%s.%s\"\n", $$1, path, $$1 }' \
		$(filter %.def,$^) >$@

$(windir)/obj/fallback/iphlpapi.def: $(windir)/obj/iphlpapi/iphlpapi.def
$(windir)/obj/fallback/mswsock.def: $(windir)/obj/mswsock/mswsock.def
$(windir)/obj/fallback/ws2_32.def: $(windir)/obj/ws2_32/ws2_32.def

$(windir)/obj/fallback/standin.def: $(srcdir)/dlls/fallback/local.mk
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)echo 'LIBRARY standin.dll' >$@
