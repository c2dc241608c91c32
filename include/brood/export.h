/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_EXPORT_H
#define BROOD_EXPORT_H

/** @file brood/export.h
 *  @brief What a declaration needs to be seen outside the library.
 *
 * Define BROOD_STATIC when linking the static library on Windows.
 */

#if defined(_WIN32) && !defined(BROOD_STATIC)
#ifdef BROOD_BUILDING
#define BROOD_API __declspec(dllexport)
#else
#define BROOD_API __declspec(dllimport)
#endif
#elif defined(__GNUC__) && __GNUC__ >= 4
#define BROOD_API __attribute__((visibility("default")))
#else
#define BROOD_API
#endif

#ifdef __cplusplus
#define BROOD_BEGIN_DECLS extern "C" {
#define BROOD_END_DECLS   }
#else
#define BROOD_BEGIN_DECLS
#define BROOD_END_DECLS
#endif

#endif /* BROOD_EXPORT_H */
