import { posix } from 'node:path';
import type { SwaggerUiOptions } from 'swagger-ui-express';

const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1b4b5a"/>' +
    '<path d="M11 7h12v4h-8v4h7v4h-7v7h-4z" fill="#fff"/></svg>',
)}`;

/** Scripts and styles from our own origin. Its styles are also in the page, and its icons are in its styles. */
export const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'self';base-uri 'self';font-src 'self';form-action 'self';frame-ancestors 'self';img-src 'self' data:;" +
    "object-src 'none';script-src 'self';script-src-attr 'none';style-src 'self' 'unsafe-inline'",
} as const;

/** Swagger UI under our name: without its top bar, and with its groups closed at first. */
export function pageOptions(docsPath: string): SwaggerUiOptions {
  return {
    customSiteTitle: 'Foretell',
    customfavIcon: ICON,
    customCss: '.swagger-ui .topbar { display: none } .swagger-ui .info { margin: 2rem 0 1rem }',
    // Relative, because a proxy may serve us under a path of its own.
    swaggerUrl: `../${posix.basename(docsPath)}-json`,
    swaggerOptions: {
      deepLinking: true,
      docExpansion: 'none',
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      persistAuthorization: false,
    },
  };
}
