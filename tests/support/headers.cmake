# Every header must compile alone: one generated source a header, which includes it twice. Built by
# the ctest case `headers` rather than with everything else, and without optimisation.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
  ${CMAKE_SOURCE_DIR}/include/*.h ${CMAKE_SOURCE_DIR}/src/*.h)

function(weir_header_check name)
  set(sources)
  foreach(header ${ARGN})
    string(REPLACE "/" "_" stem ${header})
    set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}/${stem}.cc)
    file(CONFIGURE OUTPUT ${source}
      CONTENT "#include \"@CMAKE_SOURCE_DIR@/@header@\"\n#include \"@CMAKE_SOURCE_DIR@/@header@\"\n" @ONLY)
    list(APPEND sources ${source})
  endforeach()
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(${name} PRIVATE weir_options)
  target_compile_options(${name} PRIVATE -O0 -g0)
  foreach(library uv cares boringssl re2 yaml llhttp nghttp2 prometheus jemalloc)
    target_link_libraries(${name} PRIVATE weir::${library})
  endforeach()
endfunction()

set(build ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} -j 2 --target)
if(headers)
  weir_header_check(weir_headers ${headers})
  add_test(NAME headers COMMAND ${build} weir_headers)
endif()
# The check must be able to fail: this header uses a name that it does not include.
weir_header_check(weir_headers_planted tests/support/planted/not_self_contained.h)
add_test(NAME headers_self_test COMMAND ${build} weir_headers_planted)
set_tests_properties(headers_self_test PROPERTIES
  PASS_REGULAR_EXPRESSION "not_self_contained.h:[0-9:]+ error")
# One build of a tree at a time.
set_tests_properties(headers headers_self_test PROPERTIES RESOURCE_LOCK build_tree TIMEOUT 900)
