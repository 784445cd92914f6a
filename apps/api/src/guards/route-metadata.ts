import type { ExecutionContext, Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

/** What decorators said about a handler, or else its controller. It never changes, and every request needs it. */
export class RouteMetadata<T> {
  private readonly known = new Map<Type, Map<unknown, T | undefined>>();
  private readonly reflector = new Reflector();

  constructor(private readonly key: string) {}

  of(context: ExecutionContext): T | undefined {
    const controller = context.getClass();
    const handler = context.getHandler();
    let handlers = this.known.get(controller);
    if (!handlers) this.known.set(controller, (handlers = new Map()));
    if (!handlers.has(handler)) {
      handlers.set(handler, this.reflector.getAllAndOverride<T | undefined>(this.key, [handler, controller]));
    }
    return handlers.get(handler);
  }
}
