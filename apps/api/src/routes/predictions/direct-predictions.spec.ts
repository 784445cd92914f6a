import 'reflect-metadata';
import { UseGuards, UseInterceptors } from '@nestjs/common';
import { expect, test } from 'vitest';
import { Roles } from '../../guards/roles.guard.js';
import { refuseMore } from './direct-predictions.js';

class Plain {
  async predict(): Promise<void> {}
}

test('a controller that Nest would do more for is refused', () => {
  expect(() => refuseMore(new Plain())).not.toThrow();
  for (const decorate of [UseGuards(class {} as never), UseInterceptors(class {}), Roles('admin')]) {
    @(decorate as ClassDecorator)
    class Decorated extends Plain {}
    expect(() => refuseMore(new Decorated())).toThrow('predictions do not pass');

    class OnHandler extends Plain {
      @(decorate as MethodDecorator)
      override async predict(): Promise<void> {}
    }
    expect(() => refuseMore(new OnHandler())).toThrow('predictions do not pass');
  }
});
