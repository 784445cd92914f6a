import { Injectable, type PipeTransform } from '@nestjs/common';
import { Problem } from '#libs/errors';

const MAX_INTEGER = 2 ** 31 - 1;

@Injectable()
export class UserIdPipe implements PipeTransform<string, number> {
  transform(value: string): number {
    if (!/^\d+$/.test(value)) throw Problem.badRequest('The user id in the path must be a whole number.');
    if (Number(value) > MAX_INTEGER) throw new Problem('user-not-found', 'There is no such user.');
    return Number(value);
  }
}

@Injectable()
export class FlagPipe implements PipeTransform<string, boolean> {
  transform(value: string): boolean {
    if (['1', 'true'].includes(value.toLowerCase())) return true;
    if (['0', 'false'].includes(value.toLowerCase())) return false;
    throw Problem.badRequest('The last part of the path must be 0, 1, true or false.');
  }
}
