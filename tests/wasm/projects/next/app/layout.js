// SPDX-License-Identifier: Apache-2.0
// The frame of both pages.
export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
