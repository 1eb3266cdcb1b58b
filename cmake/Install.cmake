# What `make install` lays out: the prefix is one release (/opt/tap-trading/releases/<version>), /opt/tap-trading/current names
# it, and the units and the example of tap.env go where systemd and its reader look. DESTDIR stages all of it.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/build/web ${CMAKE_SOURCE_DIR}/build/web-ops DESTINATION .)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/conf DESTINATION .)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION doc)
install(FILES ${CMAKE_SOURCE_DIR}/systemd/tap.env.example DESTINATION /etc/tap-trading)
install(FILES ${CMAKE_SOURCE_DIR}/systemd/tap-trading.sysusers DESTINATION /etc/sysusers.d RENAME tap-trading.conf)
file(GLOB UNITS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/systemd/*.service ${CMAKE_SOURCE_DIR}/systemd/*.target)
install(FILES ${UNITS} DESTINATION /etc/systemd/system)
install(CODE [[
	get_filename_component(version ${CMAKE_INSTALL_PREFIX} NAME)
	get_filename_component(releases ${CMAKE_INSTALL_PREFIX} DIRECTORY)
	get_filename_component(product ${releases} DIRECTORY)
	get_filename_component(folder ${releases} NAME)
	if(folder MATCHES "^releases$")
		file(CREATE_LINK "releases/${version}" "$ENV{DESTDIR}${product}/current" SYMBOLIC)
		# man(1) and bash look here; the links go through `current`, so that they follow a rollback
		foreach(page api ws ingest resolver archiver ctl)
			file(MAKE_DIRECTORY "$ENV{DESTDIR}/usr/local/share/man/man8")
			file(CREATE_LINK "${product}/current/share/man/man8/tap-trading-${page}.8"
				"$ENV{DESTDIR}/usr/local/share/man/man8/tap-trading-${page}.8" SYMBOLIC)
		endforeach()
		file(MAKE_DIRECTORY "$ENV{DESTDIR}/usr/local/share/bash-completion/completions")
		file(CREATE_LINK "${product}/current/share/bash-completion/completions/tap-trading-ctl"
			"$ENV{DESTDIR}/usr/local/share/bash-completion/completions/tap-trading-ctl" SYMBOLIC)
		message(STATUS "Current: $ENV{DESTDIR}${product}/current -> releases/${version}")
	endif()
]])
