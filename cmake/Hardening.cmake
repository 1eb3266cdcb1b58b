# What a daemon that holds other people's money is compiled with. A sanitizer build (TAP_SANITIZE) keeps what the
# sanitizers allow: _FORTIFY_SOURCE hides errors from them, so it is left to the release build.
set(TAP_SANITIZE "" CACHE STRING "empty, or a -fsanitize= list such as address,undefined")
option(TAP_FAULTS "compile the countdown faults in (test builds only)" OFF)
option(TAP_COVERAGE "instrument for gcov" OFF)

add_compile_options(
	-fstack-protector-strong -fstack-clash-protection -fcf-protection=full
	# clang 14, which builds the fuzzers alone, knows no zero; its pattern shows what was read before it was set.
	$<IF:$<C_COMPILER_ID:Clang>,-ftrivial-auto-var-init=pattern,-ftrivial-auto-var-init=zero>
	-fno-delete-null-pointer-checks
	-fno-strict-overflow -fno-strict-aliasing)
add_compile_definitions(_GNU_SOURCE)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -Wl,--build-id=sha1)
set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -pie")

if(TAP_SANITIZE)
	add_compile_options(-fsanitize=${TAP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
	add_link_options(-fsanitize=${TAP_SANITIZE})
else()
	add_compile_options($<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
endif()
if(TAP_FAULTS)
	add_compile_definitions(TAP_FAULTS=1)
endif()
if(TAP_COVERAGE)
	add_compile_options(--coverage -g)
	add_link_options(--coverage)
else()
	# The same commit gives the same bytes, wherever it is built. (gcov finds the sources by their real paths.)
	add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)
endif()
